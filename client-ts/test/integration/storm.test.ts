/**
 * Goal: whatever happens to the network and on the page, in the end every component shows the truth. Method: components
 * come, show what they fetched, now or a while ago, and go; prices change; connections break; each change makes those
 * who are told fetch again. By chance, from a seed that a failure names.
 */
import { expect, onTestFinished, test } from 'vitest'
import { ChaosProxy } from '../../../tests/e2e/chaos/proxy.js'
import { pause, until } from '../../../tests/e2e/support/wait.js'
import { publish, startGateway, startSync, TRANSPORTS } from '../support/live.js'
import { randomOf } from '../support/random.js'

const PRODUCTS = 12
const STEPS = 400

interface Component {
  readonly productId: string
  shown: number
  stop: () => void
}

test.each(Object.entries(TRANSPORTS))(
  'by %s, in the end every component shows the truth',
  async (_name, transportTo) => {
    const seed = Date.now() % 1_000_000
    const random = randomOf(seed)
    const pick = (count: number) => Math.floor(random() * count)
    const gateway = await startGateway()
    const proxy = await ChaosProxy.start({ port: gateway.port })
    onTestFinished(() => proxy.close())
    const { sync, events } = startSync(transportTo(`http://127.0.0.1:${proxy.port}`))

    const history = new Map<string, { price: number; atMs: number }[]>()
    const priceAt = (productId: string, ms: number) =>
      history
        .get(productId)
        ?.filter(({ atMs }) => atMs <= ms)
        .at(-1)?.price ?? 0
    const components = new Set<Component>()
    let price = 0

    /** Shows what was fetched so long ago, on a server or by a cache. */
    function mount(productId: string, ageMs: number) {
      const fetchedMs = Date.now() - ageMs
      const component: Component = { productId, shown: priceAt(productId, fetchedMs), stop: () => {} }
      component.stop = sync.subscribe(productId, {
        since: () => fetchedMs,
        onChange: () => {
          component.shown = priceAt(productId, Date.now())
        },
      })
      components.add(component)
    }

    async function change() {
      const productId = `p${pick(PRODUCTS)}`
      price += 1
      history.set(productId, [...(history.get(productId) ?? []), { price, atMs: Date.now() }])
      await publish(gateway, productId, price)
    }

    for (let step = 0; step < STEPS; step += 1) {
      const dice = random()
      if (dice < 0.4) await change()
      else if (dice < 0.63) mount(`p${pick(PRODUCTS)}`, random() < 0.5 ? 0 : pick(3_000))
      else if (dice < 0.78) {
        const component = [...components][pick(components.size)]
        component?.stop()
        if (component) components.delete(component)
      } else if (dice < 0.8) proxy.resetAll()
      else if (dice < 0.81) {
        await proxy.refuse()
        proxy.resetAll()
      } else if (dice < 0.84) await proxy.accept()
      else await pause(pick(40))
    }
    await proxy.accept()
    // From here on nothing changes any more, so nobody is told the truth by accident.
    for (let i = 0; i < PRODUCTS; i += 1) mount(`p${i}`, pick(3_000))

    const wrong = () =>
      [...components].filter(({ productId, shown }) => shown !== priceAt(productId, Date.now()))
    await until(
      () => wrong().length === 0,
      () =>
        `the truth, with seed ${seed}; wrong: ${JSON.stringify([wrong(), sync.inspect(), events.filter((e) => e.type !== 'duplicate').slice(-150)])}`,
    )
    expect(components.size).toBeGreaterThan(0)
    expect(events.some((event) => event.type === 'malformed' || event.type === 'error')).toBe(false)
  },
)
