/**
 * The core: one sync per page, without any framework. Safe to import on a server, where it does nothing.
 */
export type * from './options.js'
export { createProductSync } from './product-sync.js'
export type * from './transport.js'
export type * from './types.js'
