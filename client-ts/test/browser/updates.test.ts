/** What changes in the shop is on the screen, everywhere it is shown, without a reload. Over both transports. */
import { describe, expect, test } from 'vitest'
import { eventually } from './support/eventually.js'
import { setStage } from './support/stage.js'

const stage = setStage()
const MUG = 'tide-mug'
const LAMP = 'morel-table-lamp'

describe.each(['socket', 'sse'] as const)('over %s', (live) => {
  test('a list shows a new price, a stock, a sold-out product and a sale', async () => {
    const visitor = await stage.visit('/', { live })
    const card = visitor.product(stage.idOf(MUG))
    const add = card.getByRole('button')
    await card.getByText('In stock').waitFor()

    await stage.change(MUG, { price: 1950 })
    await card.getByText('€19.50').waitFor()

    await stage.change(MUG, { stock: 3 })
    await card.getByText('Only 3 left').waitFor()
    expect(await add.isEnabled()).toBe(true)

    await stage.change(MUG, { stock: 0 })
    await card.getByText('Sold out').waitFor()
    expect(await add.isDisabled()).toBe(true)

    await stage.change(MUG, { stock: 20, sale: { discountPercentage: 20 } })
    await card.getByText('−20 %').waitFor()
    await card.getByText('€15.60').waitFor()
    expect(await card.locator('s').textContent()).toBe('€19.50')
    expect(await add.isEnabled()).toBe(true)

    await stage.change(MUG, { sale: null })
    await card.locator('.badge').waitFor({ state: 'detached' })
    expect(await visitor.isSameDocument()).toBe(true)
  })

  test('a product page, found by its slug, shows them too and disables its button', async () => {
    const visitor = await stage.visit(`/p/${LAMP}`, { live })
    const page = visitor.product(stage.idOf(LAMP))
    const add = page.locator('.buy .primary')
    await page.getByText('−15 %').waitFor()

    await stage.change(LAMP, { sale: null })
    await page.locator('.badge').waitFor({ state: 'detached' })
    await stage.change(LAMP, { price: 17_500 })
    await page.getByText('€175', { exact: true }).waitFor()
    const spoken = visitor.page.getByRole('status').getByText('Morel Table Lamp: €175, in stock.')
    await spoken.waitFor({ state: 'attached' })

    await stage.change(LAMP, { stock: 0 })
    await page.getByRole('button', { name: 'Sold out' }).waitFor()
    expect(await add.isDisabled()).toBe(true)

    await stage.change(LAMP, { stock: 2 })
    await page.getByText('Only 2 left').waitFor()
    expect(await add.isEnabled()).toBe(true)
    expect(await visitor.isSameDocument()).toBe(true)
  })

  test('a cart shows new prices and sums, what is sold out and what is left', async () => {
    const [mug, lamp] = [stage.idOf(MUG), stage.idOf(LAMP)]
    const visitor = await stage.visit('/cart', { live, cart: { [mug]: 2, [lamp]: 1 } })
    const line = visitor.product(mug)
    const total = visitor.page.locator('.totals .total dd')
    await visitor.page.getByText('€208.65').first().waitFor()

    await stage.change(MUG, { price: 3000 })
    await line.getByText('€60').waitFor()
    await total.getByText('€220.65').waitFor()

    await stage.change(MUG, { sale: { discountPercentage: 50 } })
    await line.getByText('−50 %').waitFor()
    await total.getByText('€190.65').waitFor()

    await stage.change(MUG, { stock: 1 })
    await line.getByText('Only 1 left').waitFor()
    await total.getByText('€175.65').waitFor()

    await stage.change(MUG, { stock: 0 })
    await line.getByText('Sold out').waitFor()
    await total.getByText('€160.65').waitFor()
    await stage.change(LAMP, { stock: 0 })
    const nothing = visitor.page.getByRole('button', { name: 'Nothing left to buy' })
    await nothing.waitFor()
    expect(await nothing.isDisabled()).toBe(true)

    await stage.change(LAMP, { stock: 4 })
    await visitor.page.getByRole('button', { name: 'Checkout' }).waitFor()
    expect(await visitor.isSameDocument()).toBe(true)
  })

  test('a checkout shows a new price as soon as its batch is there', async () => {
    const lamp = stage.idOf(LAMP)
    const visitor = await stage.visit('/checkout', { live, cart: { [lamp]: 1 } })
    const total = visitor.page.locator('.totals .total dd')
    await total.getByText('€160.65').waitFor()
    await eventually(visitor.joined, (ids) => ids.includes(lamp))

    await stage.change(LAMP, { sale: null })
    await total.getByText('€189').waitFor()
    await stage.change(LAMP, { stock: 0 })
    const nothing = visitor.page.getByRole('button', { name: 'Nothing to buy' })
    await nothing.waitFor()
    expect(await nothing.isDisabled()).toBe(true)
    expect(await visitor.isSameDocument()).toBe(true)
  })
})

test('what one visitor buys, another sees leave the shelf', async () => {
  const krater = stage.idOf('krater') // the shop has two
  const looking = await stage.visit('/p/krater')
  await looking.product(krater).getByText('Only 2 left').waitFor()
  const buying = await stage.visit('/checkout', { cart: { [krater]: 2 } })
  await fillIn(buying.page)
  await buying.page.getByRole('button', { name: 'Place the order' }).click()
  await buying.page.getByRole('heading', { name: 'Thank you.' }).waitFor()
  await looking.product(krater).getByRole('button', { name: 'Sold out' }).waitFor()
})

test('the admin panel changes a price, and the shop shows it', async () => {
  const visitor = await stage.visit('/')
  const admin = await stage.visit('/admin', { live: 'poll' })
  const price = admin.page.getByLabel('Price of Tide Mug')
  await price.fill('21.5')
  await price.press('Enter')
  await visitor.product(stage.idOf(MUG)).getByText('€21.50').waitFor()
  await admin.page.getByRole('button', { name: '20 % off everything' }).click()
  await visitor.product(stage.idOf(MUG)).getByText('€17.20').waitFor()
})

test('a sale that is over ends on the screen', async () => {
  const visitor = await stage.visit('/')
  const card = visitor.product(stage.idOf(MUG))
  await stage.change(MUG, { sale: { discountPercentage: 30, forSeconds: 2 } as never })
  await card.getByText('−30 %').waitFor()
  await card.locator('.badge').waitFor({ state: 'detached' })
})

test('the shop checks an order for the last time, the visitor accepts what changed, and then it sells', async () => {
  const [mug, lamp] = [stage.idOf(MUG), stage.idOf(LAMP)]
  const { page } = await stage.visit('/checkout', { cart: { [mug]: 3, [lamp]: 1 } })
  await page.getByText('€232.65').first().waitFor()
  await fillIn(page)
  await stage.callsAtRest() // a page fetches once more when it has joined, and would learn of it then
  await stage.change(LAMP, { sale: null, quiet: true }) // nobody is told: only the last check can know
  await stage.change(MUG, { stock: 1, quiet: true })

  await page.getByRole('button', { name: 'Place the order' }).click()
  await page.getByText('Morel Table Lamp now costs €189 instead of €160.65.').waitFor()
  await page.getByText('Tide Mug: there is 1 instead of 3.').waitFor()
  expect(stage.shop.store.byId(lamp)?.stock).toBe(7)
  await page.locator('.totals .total dd').getByText('€213').waitFor()

  await stage.change(LAMP, { price: 19_000, quiet: true }) // and once more, behind what is being accepted
  await page.getByRole('button', { name: 'Accept and place the order' }).click()
  await page.getByText('Morel Table Lamp now costs €190 instead of €189.').waitFor()
  expect(stage.shop.store.byId(lamp)?.stock).toBe(7)

  await page.getByRole('button', { name: 'Accept and place the order' }).click()
  await page.getByRole('heading', { name: 'Thank you.' }).waitFor()
  expect(stage.shop.store.byId(lamp)?.stock).toBe(6)
  expect(stage.shop.store.byId(mug)?.stock).toBe(0)
})

async function fillIn(page: import('playwright-core').Page): Promise<void> {
  await page.getByLabel('Your name').fill('Ada Example')
  await page.getByLabel('Email').fill('ada@shop.example')
  await page.getByLabel('Where it goes').fill('1 Any Street, Anytown')
}
