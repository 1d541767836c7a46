/** Address and key as a deployment gives them: by option or by environment, with the slips that are common. */

const DEFAULT_URL = 'http://localhost:3003'

/** Where to post. Throws a `TypeError` if it is no address. */
export function notifyUrl(given: string | undefined): URL {
  const text = given || environment('WEBSOCKET_GATEWAY_URL') || DEFAULT_URL
  // The variable's name invites ws://, and it is the same server.
  const address = text.replace(/^ws(s?):/i, 'http$1:').replace(/\/*$/, '/')
  const url = URL.canParse(address) ? new URL(address) : undefined
  // Without a scheme, `localhost:3003` would be an address of the scheme "localhost".
  if (!url || !/^https?:$/.test(url.protocol))
    throw new TypeError(`"${text}" is no address of a gateway: http://host:3003`)
  if (url.username || url.password)
    throw new TypeError('the address of the gateway must not hold a password: use apiKey')
  return new URL('api/notify', url)
}

/** The gateway reads the same variable, where it may be a list while keys are changed. */
export function environmentKey(): string | undefined {
  return environment('INTERNAL_API_KEY')?.split(',')[0]?.trim()
}

function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  return process?.env?.[name]
}
