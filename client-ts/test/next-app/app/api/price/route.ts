// The shop's back-end in the same process: it publishes, and the shopper's request does not wait for it.
import { createPublisher } from '@shelfcast/client/publisher'

const publisher = createPublisher()

export async function POST(request: Request) {
  const { productId, newPrice } = (await request.json()) as { productId: string; newPrice: number }
  return Response.json({ taken: publisher.priceUpdate(productId, { newPrice }) })
}
