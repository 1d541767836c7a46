import '@fontsource-variable/bricolage-grotesque/wght.css'
import '@fontsource-variable/instrument-sans/wght.css'
import './styles/base.css'
import './styles/frame.css'
import './styles/shop.css'
import './styles/product.css'
import './styles/cart.css'
import './styles/admin.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app'
import { Live, queryClient, sync } from './live'
import { renders } from './renders'

// For the browser's console, and for the tests.
if (import.meta.env.DEV) Object.assign(window, { shop: { sync, queryClient, renders } })

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Live>
        <App />
      </Live>
    </StrictMode>,
  )
}
