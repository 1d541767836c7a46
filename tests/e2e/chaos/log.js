// Reads the gateway's log as it is kept in Redis, to count what is in it. It knows the key and one field; the gateway
// reads its log in its own way, so the two can disagree only if one of them is wrong.

export const LOG_KEY = '{shelfcast}:log';
export const META_KEY = '{shelfcast}:meta';

const PAGE = 1_000;

/** How often each event of this run is in the log, by the id in its data. */
export async function countEvents(redis) {
  const client = await redis.connect();
  const counts = new Map();
  let after = '-';
  for (;;) {
    const page = await client.command('XRANGE', LOG_KEY, after, '+', 'COUNT', PAGE);
    for (const [, fields] of page) {
      const id = eventId(fields);
      if (id !== null) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    if (page.length < PAGE) break;
    after = `(${page.at(-1)[0]}`;
  }
  client.close();
  return counts;
}

/** Fields alternate between names and values; `d` is the event's data. Entries of another kind have none of ours. */
function eventId(fields) {
  const at = fields.findIndex((name, index) => index % 2 === 0 && name === 'd');
  const id = at < 0 ? undefined : /"id":\s*(\d+)/.exec(fields[at + 1])?.[1];
  return id === undefined ? null : Number(id);
}

/** The number of the newest entry. */
export const headOf = async redis => Number(await redis.command('HGET', META_KEY, 'n'));
