import { defineConfig } from 'tsdown'

// One file per entry point; what several share lands in one chunk, so that the module's state exists once.
export default defineConfig({
  entry: [
    'src/index.ts',
    'src/socket-io.ts',
    'src/sse.ts',
    'src/query.ts',
    'src/react-query.tsx',
    'src/swr.ts',
    'src/zustand.ts',
    'src/publisher.ts',
    'src/testing.ts',
  ],
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  dts: true,
  sourcemap: true,
  fixedExtension: false,
})
