/** Runs both measurements and prints them. BENCH_SAMPLES (50) and BENCH_SPEED (5; 1 is life) trade time for accuracy. */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildPages } from '../examples/storefront/server/pages.js'
import { startShop } from '../examples/storefront/server/shop.js'
import { launchChromium } from '../test/browser/support/chromium.js'
import { freePort } from '../test/browser/support/free-port.js'
import { type BrowseOptions, measureBrowse } from './browse.js'
import { measureLatency } from './latency.js'
import { milliseconds, percentile, printTable } from './table.js'

const SAMPLES = Number(process.env.BENCH_SAMPLES ?? 50)
const SPEED = Number(process.env.BENCH_SPEED ?? 5)
const GATEWAY_WINDOW_MS = 300
/** A gateway cannot vouch for the seconds before its start, so pages that ask about them are told to fetch anew. */
const GATEWAY_AGE_MS = 10_000

export async function main(): Promise<void> {
  const pages = await mkdtemp(join(tmpdir(), 'shelfcast-bench-'))
  await buildPages(pages, 'production')
  const browser = await launchChromium()
  console.log(
    `Chromium ${browser.version()}, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`,
  )
  try {
    await latency()
    await calls()
  } finally {
    await browser.close()
    await rm(pages, { recursive: true, force: true })
  }

  async function latency(): Promise<void> {
    const shop = await startShop({ gatewayPort: await freePort(), pages: { built: pages } })
    const rows: string[][] = []
    try {
      for (const { place, windowMs, samplesMs } of await measureLatency(shop, browser, SAMPLES)) {
        const windowsMs = GATEWAY_WINDOW_MS + windowMs
        const [p50, p95] = [percentile(samplesMs, 50), percentile(samplesMs, 95)]
        const beyond = [p50 - windowsMs, p95 - windowsMs].map(milliseconds)
        rows.push([
          place,
          milliseconds(p50),
          milliseconds(p95),
          `${GATEWAY_WINDOW_MS} + ${windowMs} ms`,
          ...beyond,
        ])
      }
    } finally {
      await shop.close()
    }
    printTable(
      `From the POST to the gateway to the new price in the DOM, ${SAMPLES} changes each`,
      ['page', 'p50', 'p95', 'windows', 'beyond, p50', 'beyond, p95'],
      rows,
    )
  }

  async function calls(): Promise<void> {
    // Side by side, each with a shop and a gateway of its own: they wait most of the time.
    const visits: readonly Omit<BrowseOptions, 'speed'>[] = [
      { live: 'poll', changesPerMinute: 4 },
      { live: 'socket', changesPerMinute: 0 },
      { live: 'socket', changesPerMinute: 0.5 },
      { live: 'socket', changesPerMinute: 1 },
      { live: 'socket', changesPerMinute: 4 },
    ]
    const counts = await Promise.all(visits.map(browseAlone))
    const polled = counts[0] ?? Number.NaN
    printTable(
      `Calls of the shop's API in a visit of ten minutes, every wait of it ${SPEED} times shorter`,
      ['shop', 'changes a minute', 'calls', 'fewer'],
      visits.map(({ live, changesPerMinute }, at) => [
        live === 'poll' ? 'polling every 30 s' : 'live',
        String(changesPerMinute),
        String(counts[at]),
        live === 'poll' ? '' : `${Math.round(100 * (1 - (counts[at] ?? Number.NaN) / polled))} %`,
      ]),
    )
  }

  async function browseAlone(options: Omit<BrowseOptions, 'speed'>): Promise<number> {
    const shop = await startShop({
      gatewayPort: await freePort(),
      pages: { built: pages },
      gatewayEnv: { BATCH_WINDOW_MS: String(Math.round(GATEWAY_WINDOW_MS / SPEED)) },
    })
    try {
      await new Promise((resolve) => setTimeout(resolve, GATEWAY_AGE_MS))
      return await measureBrowse(shop, browser, { ...options, speed: SPEED })
    } finally {
      await shop.close()
    }
  }
}
