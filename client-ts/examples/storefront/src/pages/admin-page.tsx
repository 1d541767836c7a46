/** Behind the counter: prices, stock and sales of everything. Open it beside the shop, change something, and look there. */
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { resetShop, sellAll, useBusyDay, useChange, useFigures, useStockroom } from '../admin'
import { StockRow } from '../parts/stock-row'
import { useTitle } from '../title'

export function AdminPage() {
  const client = useQueryClient()
  const { data } = useStockroom()
  const { mutate } = useChange()
  const [isQuiet, setQuiet] = useState(false)
  const [isBusy, setBusy] = useState(false)
  useBusyDay(isBusy, data?.items)
  useTitle('Behind the counter')
  const doAll = async (work: Promise<unknown>) => {
    await work
    await client.invalidateQueries()
  }
  return (
    <div className="page admin">
      <h1>Behind the counter</h1>
      <div className="bar">
        <button type="button" className="secondary" onClick={() => doAll(sellAll(20))}>
          20 % off everything
        </button>
        <button type="button" className="secondary" onClick={() => doAll(sellAll(null))}>
          End all sales
        </button>
        <button type="button" className="secondary" onClick={() => doAll(resetShop())}>
          Start over
        </button>
        <label className="switch">
          <input type="checkbox" checked={isBusy} onChange={(event) => setBusy(event.target.checked)} /> Busy
          day
        </label>
        <label className="switch">
          <input type="checkbox" checked={isQuiet} onChange={(event) => setQuiet(event.target.checked)} /> Do
          not tell the gateway
        </label>
      </div>
      <FiguresBar />
      <section className="table" aria-label="Stock">
        <table>
          <thead>
            <tr>
              <th scope="col">Product</th>
              <th scope="col">Price, €</th>
              <th scope="col">Stock</th>
              <th scope="col">Sale</th>
              <th scope="col">
                <span className="hidden">At once</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data?.items.map((product) => (
              <StockRow
                key={product.id}
                product={product}
                onChange={(patch) => mutate({ productId: product.id, ...patch, quiet: isQuiet })}
              />
            ))}
          </tbody>
        </table>
      </section>
    </div>
  )
}

function FiguresBar() {
  const { data } = useFigures()
  const figures = [
    ['Pages connected', data?.gateway?.connections],
    ['Products followed', data?.gateway?.rooms.totalRooms],
    ['Events accepted', data?.publisher.accepted],
    ['Events waiting', data && data.publisher.queued + data.publisher.underWay],
    ['Calls of the shop’s API', data?.calls.total],
  ] as const
  return (
    <dl className="figures">
      {figures.map(([label, figure]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{figure ?? '–'}</dd>
        </div>
      ))}
    </dl>
  )
}
