import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.{ts,tsx}'],
    environment: 'node', // tests that need a page say so in their first line
    restoreMocks: true,
    unstubGlobals: true,
  },
})
