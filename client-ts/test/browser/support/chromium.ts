/** The browser of the tests: the system's own, driven by playwright-core. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

const PATH = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu']

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: PATH,
    args: FLAGS,
    ignoreDefaultArgs: ['--disable-back-forward-cache'], // one of the things to be tried
  })

/**
 * A browser whose tabs hide each other, as a person's do. Playwright's own contexts pretend that every page is in front.
 */
export async function launchWithTabs(): Promise<{ context: BrowserContext; close(): Promise<void> }> {
  const profile = await mkdtemp(join(tmpdir(), 'shelfcast-tabs-'))
  const child = spawn(
    PATH,
    ['--headless=new', ...FLAGS, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  process.once('exit', () => child.kill('SIGKILL'))
  const browser = await chromium.connectOverCDP(await debuggerUrl(child), { noDefaults: true })
  const [context] = browser.contexts()
  if (!context) throw new Error('the browser came without a context')
  return {
    context,
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      await browser.close()
      child.kill('SIGKILL')
      await ended
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

function debuggerUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${PATH} ended with ${code}: ${said}`)))
    child.stderr?.on('data', (chunk) => {
      said += chunk
      const url = /ws:\/\/\S+/.exec(said)?.[0]
      if (url) resolve(url)
    })
  })
}
