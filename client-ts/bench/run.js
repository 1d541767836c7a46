// `npm run bench`: how fast a change is on the screen, and how many calls of the shop's API live updates save. Everything
// printed is measured in this run, in Chromium, on the example shop as it is built for production.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const { resolve } = createRequire(new URL('../examples/storefront/', import.meta.url))
const { createServer } = await import(resolve('vite'))
const loader = await createServer({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: fileURLToPath(new URL('../examples/storefront/vite.config.ts', import.meta.url)),
  appType: 'custom',
  logLevel: 'warn',
  optimizeDeps: { noDiscovery: true, include: [] },
  server: { middlewareMode: true, hmr: false, ws: false },
})
try {
  await (await loader.ssrLoadModule('/bench/main.ts')).main()
} finally {
  await loader.close()
}
