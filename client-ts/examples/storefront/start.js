// `npm start`: the shop and its gateway, together. Installs what is missing first, so this is all one has to type.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const SHOP_PORT = Number(process.env.SHOP_PORT ?? 3009)
const GATEWAY_PORT = Number(process.env.PORT ?? 3003)

const here = fileURLToPath(new URL('.', import.meta.url))
for (const folder of [fileURLToPath(new URL('../..', import.meta.url)), here]) {
  if (existsSync(`${folder}/node_modules`)) continue
  console.log(`Installing the packages of ${folder}`)
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (!process.env.SHELFCAST_BIN)
  console.log('SHELFCAST_BIN is not set: cargo builds the gateway (minutes, the first time).')

// The server is TypeScript and uses the package from its source, so Vite loads it too.
const { createServer } = await import('vite')
const loader = await createServer({
  root: here,
  appType: 'custom',
  cacheDir: 'node_modules/.vite-server', // beside that of the pages, which has other settings
  server: { middlewareMode: true, hmr: false, ws: false },
})
const { startShop } = await loader.ssrLoadModule('/server/shop.ts')
const shop = await startShop({
  port: SHOP_PORT,
  gatewayPort: GATEWAY_PORT,
  pages: 'vite',
  gatewayOutput: 'inherit',
})

console.log(`
  The shop           ${shop.url}
  Change it here     ${shop.url}/admin
  The gateway        ${shop.gateway.url}

  Open both in two windows, and change a price. Ctrl-C ends it all.
`)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await shop.close()
    await loader.close()
    process.exit(0)
  })
}
