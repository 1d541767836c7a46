import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** Never answers but with "in an hour". */
const server = createServer((_, answer) => answer.writeHead(503, { 'retry-after': '3600' }).end())
const module = fileURLToPath(new URL('../../dist/publisher.js', import.meta.url))
let publish: string

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  publish = `
    import { createPublisher } from '${module}'
    const publisher = createPublisher({ url: 'http://127.0.0.1:${(server.address() as AddressInfo).port}' })
    publisher.priceUpdate('a', {})
  `
})
afterAll(() => server.close())

const run = (script: string) =>
  promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 })

test('a wait keeps no process alive', async () => {
  await run(`${publish}; await new Promise((resolve) => setTimeout(resolve, 300)); console.log('end')`)
})

test('close keeps it alive until its time is over, and no longer', async () => {
  const { stdout } = await run(
    `${publish}; console.log(JSON.stringify(await publisher.close({ timeoutMs: 1_000 })))`,
  )
  expect(JSON.parse(stdout)).toEqual({ done: false, left: 1 })
})
