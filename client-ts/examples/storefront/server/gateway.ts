/** Starts the gateway beside the shop: the binary in SHELFCAST_BIN, or what cargo builds from this repository. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url))

export interface GatewayOptions {
  readonly port: number
  readonly apiKey: string
  /** Pages of these origins may connect. */
  readonly shopUrl: string
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** `inherit` shows what it says. */
  readonly output?: 'inherit' | 'ignore'
}

export interface Gateway {
  readonly url: string
  start(): Promise<void>
  /** SIGTERM and a graceful end, or SIGKILL and a sudden one. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export function createGateway({ port, apiKey, shopUrl, env, output = 'ignore' }: GatewayOptions): Gateway {
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  process.once('exit', () => child?.kill('SIGKILL'))

  async function start(): Promise<void> {
    // It would be taken for ours, and refuse the key of this shop.
    if (await isReady(url)) throw new Error(`Another gateway runs at ${url}: end it, or choose another PORT`)
    const binary = process.env.SHELFCAST_BIN
    const [command, ...args] = binary ? [binary] : ['cargo', 'run', '--release', '--quiet']
    const own = spawn(command ?? 'cargo', args, {
      cwd: REPOSITORY,
      env: {
        ...process.env,
        HOST: '127.0.0.1',
        PORT: String(port),
        INTERNAL_API_KEY: apiKey,
        ALLOWED_ORIGINS: shopUrl,
        LOG_LEVEL: 'warn',
        DRAIN_DELAY_MS: '0',
        DRAIN_SPREAD_MS: '0',
        ...env,
      },
      stdio: ['ignore', output, output],
    })
    child = own
    let problem: string | undefined
    own.once('error', (error) => (problem = error.message))
    own.once('exit', (code, signal) => (problem = `it ended with ${signal ?? code}`))
    while (!(await isReady(url))) {
      if (problem) throw new Error(`The gateway did not start (${[command, ...args].join(' ')}): ${problem}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async function stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const own = child
    child = undefined
    if (!own || own.exitCode !== null || own.signalCode !== null) return
    const ended = new Promise((resolve) => own.once('exit', resolve))
    own.kill(signal)
    await ended
  }

  return { url, start, stop }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok
  } catch {
    return false
  }
}
