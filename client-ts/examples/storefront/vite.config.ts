import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))

// The shop always shows the package as it stands: its source, without a build in between. In your shop there is no alias,
// only the dependency.
const sources = { find: /^@shelfcast\/client\/(.+)$/, replacement: `${PACKAGE}src/$1` }
const core = { find: /^@shelfcast\/client$/, replacement: `${PACKAGE}src/index.ts` }

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: [sources, core],
    // The package's folder has its own copies for its tests; a page with two Reacts has none.
    dedupe: [
      'react',
      'react-dom',
      'react-intersection-observer',
      '@tanstack/react-query',
      'socket.io-client',
    ],
  },
  server: { fs: { allow: [PACKAGE] } },
  // Named here, because Vite reloads a page when it finds one more of them later.
  optimizeDeps: {
    include: [
      'react',
      'react-dom/client',
      'react/jsx-dev-runtime',
      'react-intersection-observer',
      '@tanstack/react-query',
      'socket.io-client',
    ],
  },
})
