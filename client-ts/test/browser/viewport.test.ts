/** What is followed is what is seen: no more, and scrolling costs the page nothing. */
import { expect, test } from 'vitest'
import { eventually } from './support/eventually.js'
import { setStage } from './support/stage.js'
import type { Visitor } from './support/visitor.js'

const stage = setStage()
const DESKTOP = { width: 1280, height: 800 }

test('only products in view are followed, and scrolling swaps them without rendering a card', async () => {
  const visitor = await stage.visit('/', { viewport: DESKTOP })
  const above = await followsExactlyWhatIsInView(visitor)
  expect(above.length).toBeGreaterThan(3)
  expect(above.length).toBeLessThan(13)
  await stage.callsAtRest() // whatever a start still renders is not the scrolling's
  const before = await visitor.renders()
  expect(Object.keys(before)).toHaveLength(40)

  await visitor.page.mouse.wheel(0, 2400)
  await eventually(visitor.joined, (ids) => ids.every((id) => !above.includes(id)) && ids.length > 0)
  const below = await followsExactlyWhatIsInView(visitor)
  expect(below.filter((id) => above.includes(id))).toEqual([])
  await visitor.page.mouse.wheel(0, -2400)
  await eventually(visitor.joined, (ids) => ids.join() === above.join())

  expect(await visitor.renders()).toEqual(before)
})

test('a change renders the card of its product and no other', async () => {
  const visitor = await stage.visit('/', { viewport: DESKTOP })
  await followsExactlyWhatIsInView(visitor)
  await stage.callsAtRest()
  const mug = stage.idOf('tide-mug')
  const before = await visitor.renders()
  await stage.change('tide-mug', { price: 2100 })
  await visitor.product(mug).getByText('€21', { exact: true }).waitFor()
  const { [mug]: mugAfter, ...othersAfter } = await visitor.renders()
  const { [mug]: mugBefore, ...othersBefore } = before
  expect(othersAfter).toEqual(othersBefore)
  expect(mugAfter).toBeGreaterThan(mugBefore ?? 0)
})

test('what changed out of view costs no call, and is current when it is scrolled into view', async () => {
  const visitor = await stage.visit('/', { viewport: DESKTOP })
  await followsExactlyWhatIsInView(visitor)
  const rug = stage.idOf('switchback-rug') // near the end of the page
  expect(await visitor.joined()).not.toContain(rug)
  const total = await stage.callsAtRest()
  await stage.change('switchback-rug', { price: 15_100 })
  expect(await stage.callsAtRest()).toBe(total)

  await visitor.product(rug).scrollIntoViewIfNeeded()
  await visitor.product(rug).getByText('€151').waitFor()
  expect(await visitor.isSameDocument()).toBe(true)
})

test('forty changes at once are one call for the list', async () => {
  const visitor = await stage.visit('/', { viewport: { width: 2200, height: 5000 } })
  await eventually(visitor.joined, (ids) => ids.length === 40)
  await stage.callsAtRest()
  stage.shop.calls.reset()
  await fetch(`${stage.shop.url}/api/admin/sales`, {
    method: 'POST',
    body: JSON.stringify({ sale: { discountPercentage: 40 } }),
  })
  await eventually(
    () => visitor.page.getByText('−40 %').count(),
    (count) => count === 40,
  )
  expect(stage.shop.calls.read().byRoute['GET /api/products']).toBe(1)
})

test('StrictMode, which mounts everything twice, makes one connection and joins each product once', async () => {
  const visitor = await stage.visit('/', { viewport: DESKTOP })
  const inView = await followsExactlyWhatIsInView(visitor)
  await stage.callsAtRest() // time for one too many
  expect(visitor.wire.sockets).toBe(1)
  expect(visitor.wire.joins.toSorted()).toEqual(inView.toSorted())
  expect(visitor.wire.leaves).toEqual([])
})

test('a glance at another page leaves no room', async () => {
  const visitor = await stage.visit('/', { viewport: DESKTOP })
  const mug = stage.idOf('tide-mug')
  await followsExactlyWhatIsInView(visitor)
  await visitor.page.getByRole('link', { name: /^Cart/ }).click()
  await visitor.page.getByRole('heading', { name: 'Cart' }).waitFor() // where the mug is not
  await visitor.page.goBack()
  await visitor.page.locator('.hero').waitFor()
  await followsExactlyWhatIsInView(visitor)
  expect(visitor.wire.leaves).toEqual([])
  await stage.change('tide-mug', { stock: 1 })
  await visitor.product(mug).getByText('Only 1 left').waitFor()
})

/** As the hook counts: a tenth of a card within the viewport and 50 pixels around it. */
async function followsExactlyWhatIsInView(visitor: Visitor): Promise<readonly string[]> {
  const inView = await eventually(
    () =>
      visitor.page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>('.card[data-product]')]
          .filter((card) => {
            const { top, bottom, height } = card.getBoundingClientRect()
            return Math.min(bottom, innerHeight + 50) - Math.max(top, -50) >= height / 10
          })
          .map((card) => card.dataset.product ?? ''),
      ),
    (ids) => ids.length > 0,
  )
  await eventually(visitor.joined, (ids) => ids.toSorted().join() === inView.toSorted().join())
  await eventually(stage.followed, (count) => count === inView.length)
  return visitor.joined()
}
