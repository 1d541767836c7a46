/**
 * The package as a shop gets it: packed, installed beside Next.js in a folder of its own where nothing of this one can
 * be found, built and started.
 */
import { execFile, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../../tests/e2e/support/gateway.js'
import { until } from '../../../tests/e2e/support/wait.js'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const APP = join(PACKAGE, 'test/next-app')
const BUILD_DEADLINE_MS = 300_000

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'next-app-'))
  await cp(APP, folder, {
    recursive: true,
    filter: (path) => !/node_modules|\.next/.test(path.slice(APP.length)),
  })
  const packed = await run(PACKAGE, 'npm', 'pack', '--json', '--pack-destination', folder)
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
  // With the versions of the app's lockfile; `npm ci` would not take the tarball, which is new each time.
  await run(
    folder,
    'npm',
    'install',
    '--no-save',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    `./${filename}`,
  )
  await run(folder, 'npx', 'next', 'build')
}, BUILD_DEADLINE_MS)

afterAll(() => rm(folder, { recursive: true, force: true }))

test('a server component imports the core, which does nothing there', async () => {
  expect(await page('index')).toContain('on the server the sync is idle')
})

test('hooks render on the server, with what the server fetched', async () => {
  expect(await page('products')).toContain('price 15, idle')
})

test('a route publishes, to the gateway that the environment names', async () => {
  const published = new Promise<{ key: unknown; body: string }>((resolve) => {
    const gateway = createServer(async (request, answer) => {
      resolve({ key: request.headers['x-api-key'], body: (await request.toArray()).join('') })
      answer.writeHead(202).end('{"cursor":"test.1"}')
    }).listen(0, '127.0.0.1', () => void start((gateway.address() as AddressInfo).port))
    onTestFinished(() => void gateway.close())
  })

  async function start(gatewayPort: number): Promise<void> {
    const port = await freePort()
    const env = {
      ...process.env,
      WEBSOCKET_GATEWAY_URL: `http://127.0.0.1:${gatewayPort}`,
      INTERNAL_API_KEY: 'key',
    }
    const next = join(folder, 'node_modules/next/dist/bin/next')
    const shop = spawn(process.execPath, [next, 'start', '--port', String(port)], {
      cwd: folder,
      env,
      stdio: 'ignore',
    })
    onTestFinished(() => void shop.kill('SIGKILL'))
    const post = () =>
      fetch(`http://127.0.0.1:${port}/api/price`, {
        method: 'POST',
        body: '{"productId":"p1","newPrice":12}',
      })
    const answer = await until(() => post().catch(() => undefined), 'the shop to start')
    expect(await answer?.json()).toEqual({ taken: true })
  }

  const { key, body } = await published
  expect(key).toBe('key')
  expect(JSON.parse(body).events).toMatchObject([
    { productId: 'p1', type: 'price_update', data: { newPrice: 12 } },
  ])
})

const page = (name: string) => readFile(join(folder, `.next/server/app/${name}.html`), 'utf8')

/** Runs a program and gives back what it said; a failure has it all. */
async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' }
  Reflect.deleteProperty(env, 'NODE_ENV') // the test runner's own would make it another build
  try {
    return (await promisify(execFile)(program, args, { cwd, env })).stdout
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')} failed: ${(error as { stdout?: string }).stdout}`, {
      cause: error,
    })
  }
}
