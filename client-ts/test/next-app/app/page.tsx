// A server component: the core may be imported and made here, and does nothing.
import { createProductSync } from '@shelfcast/client'

export default function Page() {
  const sync = createProductSync({ url: 'http://localhost:3003' })
  return <p>{`on the server the sync is ${sync.getSnapshot().status}`}</p>
}
