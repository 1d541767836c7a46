import { defineConfig } from 'vitest/config'

// The examples import the package by its name, as a shop does, and get its source.
const source = [
  { find: /^@shelfcast\/client\/(.+)$/, replacement: `${import.meta.dirname}/src/$1` },
  { find: /^@shelfcast\/client$/, replacement: `${import.meta.dirname}/src/index.ts` },
]
const own = { restoreMocks: true, unstubGlobals: true, unstubEnvs: true }

// Each has a script of its own: `npm test` is the first.
export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: source },
        test: {
          ...own,
          name: 'unit',
          include: ['src/**/*.test.{ts,tsx}', 'examples/checkout-validation/*.test.{ts,tsx}'],
          environment: 'node', // tests that need a page say so in their first line
        },
      },
      {
        test: {
          ...own,
          name: 'integration', // with the real gateway: SHELFCAST_BIN
          include: ['test/integration/**/*.test.{ts,tsx}'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...own,
          name: 'package', // of what is published: needs `npm run build`
          include: ['test/package/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...own,
          name: 'next', // the packed package in a shop on Next.js: needs `npm run build`
          include: ['test/next/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        resolve: { alias: { '@shelfcast/client/publisher': `${import.meta.dirname}/src/publisher.ts` } },
        test: {
          ...own,
          name: 'browser', // the example shop in Chromium: needs `npm ci` in examples/storefront, and SHELFCAST_BIN
          include: ['test/browser/**/*.test.ts'],
          globalSetup: ['test/browser/support/build.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
