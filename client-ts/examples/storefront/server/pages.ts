/**
 * The pages of the shop: during development through Vite, otherwise as they were built into a folder. Every page is the
 * same document, and carries the settings that are only known at the start.
 */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

export const STOREFRONT = fileURLToPath(new URL('..', import.meta.url))
const SETTINGS_MARK = '<!-- settings -->'

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

export interface Pages {
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>
  close(): Promise<void>
}

/** Edited files reach open pages, over a socket that each page opens to Vite. */
export async function vitePages(server: Server, settings: object): Promise<Pages> {
  const { createServer } = await import('vite')
  const vite = await createServer({
    root: STOREFRONT,
    appType: 'custom',
    clearScreen: false,
    server: { middlewareMode: true, ws: { server } },
  })
  return {
    async answer(request, response) {
      // Answers by itself what is a file; what is none is a page.
      await new Promise((resolve) => {
        response.once('close', resolve)
        vite.middlewares(request, response, resolve)
      })
      if (response.writableEnded) return
      const document = await readFile(join(STOREFRONT, 'index.html'), 'utf8')
      sendDocument(response, await vite.transformIndexHtml(request.url ?? '/', document), settings)
    },
    close: () => vite.close(),
  }
}

/**
 * Builds the pages into a folder. For `development` React checks more and mounts everything twice in StrictMode, but
 * there is no Vite in the page.
 */
export async function buildPages(outDir: string, mode: 'development' | 'production'): Promise<void> {
  const { build } = await import('vite')
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = mode
  try {
    await build({ root: STOREFRONT, mode, logLevel: 'error', build: { outDir, emptyOutDir: true } })
  } finally {
    process.env.NODE_ENV = before
  }
}

export async function builtPages(dist: string, settings: object): Promise<Pages> {
  const document = await readFile(join(dist, 'index.html'), 'utf8')
  return {
    async answer(request, response) {
      const path = normalize(new URL(request.url ?? '/', 'http://shop').pathname)
      const type = CONTENT_TYPES[extname(path)]
      if (!type) return sendDocument(response, document, settings)
      const file = await readFile(join(dist, path)).catch(() => undefined)
      response.writeHead(file ? 200 : 404, { 'Content-Type': type })
      response.end(file)
    },
    close: async () => {},
  }
}

function sendDocument(response: ServerResponse, document: string, settings: object): void {
  // In a script element only `<` could end the JSON.
  const json = JSON.stringify(settings).replaceAll('<', '\\u003c')
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-cache' })
  response.end(
    document.replace(SETTINGS_MARK, `<script type="application/json" id="settings">${json}</script>`),
  )
}
