/** The shop window: everything, or one shelf of it. */
import { Hero } from '../art/hero'
import { CATEGORIES } from '../parts/header'
import { ProductCard } from '../parts/product-card'
import { useProducts } from '../queries'
import { useTitle } from '../title'

export function ShopPage({ category }: { category?: string }) {
  const { data, isError, refetch } = useProducts(category)
  const label = CATEGORIES.find(([name]) => name === category)?.[1]
  useTitle(label)
  return (
    <>
      {category ? (
        <div className="shelf-head">
          <h1>{label ?? 'An empty shelf'}</h1>
          <p className="quiet">{data ? `${data.items.length} things` : ' '}</p>
        </div>
      ) : (
        <Hero />
      )}
      {isError && !data && (
        <p className="notice" role="alert">
          The shop does not answer.{' '}
          <button type="button" className="text" onClick={() => refetch()}>
            Try again
          </button>
        </p>
      )}
      <section className="grid" aria-label="Products">
        {data ? data.items.map((product) => <ProductCard key={product.id} product={product} />) : <Blanks />}
      </section>
    </>
  )
}

/** The room that the cards will take, so that nothing jumps when they come. */
function Blanks() {
  return Array.from({ length: 8 }, (_, at) => (
    <div key={at} className="card blank" aria-hidden="true">
      <div className="tile" />
    </div>
  ))
}
