/**
 * A real redis-server with a real gateway in front, and a look into the log between them. The processes are those of
 * the repository's own end-to-end tests.
 */
import { onTestFinished } from 'vitest'
import { LOG_KEY } from '../../../tests/e2e/chaos/log.js'
import { ChaosProxy } from '../../../tests/e2e/chaos/proxy.js'
import { RedisServer } from '../../../tests/e2e/chaos/redis.js'
import { API_KEY, Gateway } from '../../../tests/e2e/support/gateway.js'

export { API_KEY }

export interface Stack {
  readonly gateway: Gateway
  readonly redis: RedisServer
  /** Between the publisher and the gateway; on a port of its own, which answers only while the gateway does. */
  readonly door: ChaosProxy
  readonly url: string
  /** The ids that the events in the log have in their data, in order. */
  logged(): Promise<number[]>
}

/** Ends with the test. */
export async function startStack(): Promise<Stack> {
  const redis = await RedisServer.start()
  onTestFinished(() => redis.remove())
  const gateway = await Gateway.start({ REDIS_URL: redis.url })
  onTestFinished(() => gateway.kill())
  const door = await ChaosProxy.start({ port: gateway.port })
  onTestFinished(() => door.close())

  async function logged(): Promise<number[]> {
    const entries = (await redis.command('XRANGE', LOG_KEY, '-', '+')) as [string, string[]][]
    return entries.flatMap(([, fields]) => {
      const data = fields.find((_, index) => fields[index - 1] === 'd' && index % 2 === 1)
      // Entries of another kind, such as the gap that a killed gateway leaves in its other inputs, have no data.
      return data ? [(JSON.parse(data) as { id: number }).id] : []
    })
  }

  return { redis, gateway, door, url: `http://127.0.0.1:${door.port}`, logged }
}
