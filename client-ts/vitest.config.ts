import { defineConfig } from 'vitest/config'

const own = { restoreMocks: true, unstubGlobals: true, unstubEnvs: true }

// `npm run test:unit`, `test:integration` and `test:package` run one of them.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...own,
          name: 'unit',
          include: ['src/**/*.test.{ts,tsx}'],
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
    ],
  },
})
