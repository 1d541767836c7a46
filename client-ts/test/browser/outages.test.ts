/** The line is cut, the gateway dies, the tab is hidden: afterwards the page is as current as if nothing had been. */
import { expect, onTestFinished, test } from 'vitest'
import { launchWithTabs } from './support/chromium.js'
import { eventually } from './support/eventually.js'
import { setStage } from './support/stage.js'
import { visitorOf } from './support/visitor.js'

const stage = setStage()
const MUG = 'tide-mug'

test.each(['socket', 'sse'] as const)('a gateway that is killed and comes back (%s)', async (live) => {
  const visitor = await stage.visit('/', { live, allowNetworkErrors: true })
  const card = visitor.product(stage.idOf(MUG))
  const joined = await visitor.joined()
  await stage.shop.gateway.stop('SIGKILL')
  await visitor.page.locator('.live[data-status="waiting"]').waitFor({ state: 'attached' })
  await stage.change(MUG, { price: 2011 })
  await stage.shop.gateway.start()

  await visitor.connected()
  await card.getByText('€20.11').waitFor()
  await eventually(visitor.joined, (ids) => ids.join() === joined.join())
  await stage.change(MUG, { price: 2022 })
  await card.getByText('€20.22').waitFor()
  expect(await visitor.isSameDocument()).toBe(true)
})

test('a gateway that is deployed anew while somebody shops', async () => {
  const visitor = await stage.visit(`/p/${MUG}`, { allowNetworkErrors: true })
  await stage.shop.gateway.stop('SIGTERM')
  await visitor.page.locator('.live[data-status="waiting"]').waitFor({ state: 'attached' })
  await visitor.page.locator('.live summary').click()
  await stage.shop.gateway.start()
  await visitor.page.getByRole('button', { name: 'Try now' }).click()
  await visitor.connected()
  await stage.change(MUG, { stock: 4 })
  await visitor.product(stage.idOf(MUG)).getByText('Only 4 left').waitFor()
})

test.each(['socket', 'sse'] as const)('a browser that is offline and back (%s)', async (live) => {
  const visitor = await stage.visit(`/p/${MUG}`, { live, allowNetworkErrors: true })
  const page = visitor.product(stage.idOf(MUG))
  const context = visitor.page.context()
  await context.setOffline(true)
  // Chromium cuts WebSockets then, but not the answers it is already reading, which a stream is.
  if (live === 'socket')
    await visitor.page.locator('.live[data-status="waiting"]').waitFor({ state: 'attached' })
  expect(await visitor.page.evaluate(() => navigator.onLine)).toBe(false)
  await stage.change(MUG, { price: 2033 })
  await context.setOffline(false)
  await visitor.connected()
  await page.getByText('€20.33').waitFor()
  await stage.change(MUG, { price: 2044 })
  await page.getByText('€20.44').waitFor()
  expect(await visitor.isSameDocument()).toBe(true)
})

test('a tab that is hidden gives up its connection, and catches up when it is seen again', async () => {
  const { context, close } = await launchWithTabs()
  onTestFinished(close)
  const page = context.pages()[0] ?? (await context.newPage())
  await page.goto(`${stage.shop.url}/p/${MUG}?speed=60`) // a minute hidden is a second here
  const visitor = visitorOf(page, context)
  await visitor.connected()
  await eventually(stage.followed, (count) => count > 0)

  const other = await context.newPage()
  await other.bringToFront()
  expect(await page.evaluate(() => document.visibilityState)).toBe('hidden')
  await page.locator('.live[data-status="paused"]').waitFor({ state: 'attached' })
  await eventually(stage.followed, (count) => count === 0)
  const total = await stage.callsAtRest()
  await stage.change(MUG, { price: 2055 })
  expect(await stage.callsAtRest()).toBe(total)

  await page.bringToFront()
  await visitor.connected()
  await visitor.product(stage.idOf(MUG)).getByText('€20.55').waitFor()
})

test('a page that comes back from the back/forward cache', async () => {
  const visitor = await stage.visit(`/p/${MUG}`, { allowNetworkErrors: true })
  const { page } = visitor
  await page.evaluate(() => {
    addEventListener('pageshow', ({ persisted }) => {
      document.documentElement.dataset.cameBack = String(persisted)
    })
  })
  await page.goto('data:text/html,<h1>Another site</h1>')
  await eventually(stage.followed, (count) => count === 0)
  await stage.change(MUG, { price: 2066 })
  await page.goBack({ waitUntil: 'commit' }) // a page from that cache is not loaded, so there is no load to wait for
  await page.locator('html[data-came-back="true"]').waitFor()
  expect(await visitor.isSameDocument()).toBe(true)
  await visitor.connected()
  await visitor.product(stage.idOf(MUG)).getByText('€20.66').waitFor()
  await stage.change(MUG, { price: 2077 })
  await visitor.product(stage.idOf(MUG)).getByText('€20.77').waitFor()
})
