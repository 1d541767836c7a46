/**
 * How every page looks: pictures are taken for people, into a folder that is printed, and the page is looked over for what
 * a machine can tell. SCREENSHOTS names another folder.
 */
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, describe, expect, test } from 'vitest'
import { audit } from './support/audit.js'
import { setStage } from './support/stage.js'

const FOLDER = process.env.SCREENSHOTS ?? join(tmpdir(), 'shelfcast-screenshots')
mkdirSync(FOLDER, { recursive: true })
afterAll(() => console.log(`screenshots are in ${FOLDER}`))

const stage = setStage()
const LOOKS = [
  { look: 'desktop', width: 1440, height: 900, colorScheme: 'light' },
  { look: 'dark', width: 1440, height: 900, colorScheme: 'dark' },
  { look: 'phone', width: 390, height: 844, colorScheme: 'light' },
  { look: 'phone-dark', width: 390, height: 844, colorScheme: 'dark' },
] as const

const CART = ['tide-mug', 'morel-table-lamp', 'hollow-bowl', 'krater']

/** Where to go, and what to do there before the picture is taken. */
const PAGES: readonly { name: string; path: string; act?: (page: Page) => Promise<void> }[] = [
  { name: 'shop', path: '/' },
  { name: 'shelf', path: '/c/light' },
  { name: 'product', path: '/p/morel-table-lamp' },
  { name: 'product-sold-out', path: '/p/hollow-bowl' },
  { name: 'cart', path: '/cart' },
  { name: 'checkout', path: '/checkout' },
  { name: 'corrections', path: '/checkout', act: orderWhatHasChanged },
  { name: 'thanks', path: '/thanks/V-10001' },
  { name: 'admin', path: '/admin' },
  { name: 'live', path: '/', act: (page) => page.locator('.live summary').click() },
]

describe.each(LOOKS)('$look', ({ look, width, height, colorScheme }) => {
  test.each(PAGES)('$name', async ({ name, path, act }) => {
    const cart = Object.fromEntries(CART.map((slug, at) => [stage.idOf(slug), at === 0 ? 2 : 1]))
    const { page } = await stage.visit(path, {
      live: 'socket',
      viewport: { width, height },
      colorScheme,
      cart,
    })
    await page.locator('h1, .details h1').first().waitFor()
    await page.evaluate(() => document.fonts.ready)
    await act?.(page)
    await page.screenshot({ path: join(FOLDER, `${name}-${look}.png`), animations: 'disabled' })
    expect(await audit(page)).toEqual([])
  })
})

async function orderWhatHasChanged(page: Page): Promise<void> {
  await page.getByLabel('Your name').fill('Ada Example')
  await page.getByLabel('Email').fill('ada@shop.example')
  await page.getByLabel('Where it goes').fill('1 Any Street, Anytown')
  await stage.callsAtRest() // a page fetches once more when it has joined, and would learn of it then
  await stage.change('morel-table-lamp', { price: 19_900, quiet: true })
  await stage.change('tide-mug', { stock: 1, quiet: true })
  await page.getByRole('button', { name: 'Place the order' }).click()
  await page.getByRole('heading', { name: 'Before you pay' }).scrollIntoViewIfNeeded()
}
