/** The frame around every page, and which page it is. The cart is kept current on all of them. */
import { useCartSync } from '@shelfcast/client/react-query'
import { AdminPage } from './pages/admin-page'
import { CartPage } from './pages/cart-page'
import { CheckoutPage, ThanksPage } from './pages/checkout-page'
import { ProductPage } from './pages/product-page'
import { ShopPage } from './pages/shop-page'
import { Footer } from './parts/footer'
import { Header } from './parts/header'
import { usePath } from './router'
import { isLive } from './settings'

export function App() {
  const path = usePath()
  useCartSync({ enabled: isLive })
  return (
    <>
      <a className="skip" href="#main">
        Skip to the shop
      </a>
      <Header path={path} />
      <main id="main" tabIndex={-1}>
        <Page path={path} />
      </main>
      <Footer />
    </>
  )
}

function Page({ path }: { path: string }) {
  const [, place, name = ''] = path.split('/')
  if (place === 'p') return <ProductPage key={name} slug={name} />
  if (place === 'cart') return <CartPage />
  if (place === 'checkout') return <CheckoutPage />
  if (place === 'thanks') return <ThanksPage orderNumber={name} />
  if (place === 'admin') return <AdminPage />
  return place === 'c' ? <ShopPage category={name} /> : <ShopPage />
}
