-- Appends events: all of them or none.
--
-- A script is atomic, but it is not rolled back: what was written before an error stays. So whatever may be refused
-- comes first (lease, claims, the first XADD; a new epoch may begin before, which loses nothing), and the claims last: a claim without its event would answer the
-- publisher's retry with "duplicate" and lose the event.
--
-- Before it stand epoch.lua and, where products were observed, seen.lua with two functions and from which event on they
-- tell what was seen; otherwise those are nil.
--
-- KEYS[3]  the lease; KEYS[4]: what its holder appended last; KEYS[5]: streaks, a hash: since which n a product has been
--          told of by what was seen of it alone, a dash, and the last n that did; KEYS[6..]: the request's claim if there
--          is one, then those of the events that have one
-- ARGV     1 a name for a new epoch      2 the lease token that must hold, or ''     3 the holder's count, or ''
--          4 entries kept at most        5 milliseconds a claim lives                6 channel for invalidations
--          7 channel to mirror to, or '' 8 digest of the request's body, or ''       9 digest of the message, or ''
--          10 events; then five for each: kind, product, data, timestamp, '1' if it has a claim; the last one of all: who
--          brought them, or ''
-- Returns  'fenced' | 'key_reused' | 'inconsistent' and the epoch | ('taken' or 'repeated'), accepted, duplicates, cursor of the
--          last event, lineage
local lease, token, count = KEYS[3], ARGV[2], ARGV[3]
local streaks = KEYS[5]
local max_len, claim_ttl_ms = ARGV[4], ARGV[5]
local invalidation_channel, mirror_channel = ARGV[6], ARGV[7]
local body_digest, message_digest, origin = ARGV[8], ARGV[9], ARGV[#ARGV]

if token ~= '' and redis.call('GET', lease) ~= token then return { 'fenced' } end
local at = standing() or begin(ARGV[1])
local now = math.max(at.time + 1, clock_micros())

if count ~= '' then
  local done = redis.call('HMGET', KEYS[4], 'appended_token', 'appended_count', 'appended_cursor')
  if done[1] == token and tonumber(done[2]) >= tonumber(count) then
    return { 'repeated', '0', '0', done[3], at.lineage }
  end
end

local next_key = 6
local function claim_key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local request_claim
if body_digest ~= '' then
  request_claim = claim_key()
  local known = redis.call('GET', request_claim)
  if known then
    local body, accepted, duplicates, cursor = string.match(known, '^(%x+) (%d+) (%d+) (%S+)$')
    if body ~= body_digest then return { 'key_reused' } end
    -- Written again, so that waiting for replicas or the disk covers the first answer too.
    redis.call('SET', request_claim, known, 'KEEPTTL')
    return { 'repeated', accepted, duplicates, cursor, at.lineage }
  end
end

local changed = what_changed and what_changed(at.epoch)
if changed then return changed end

local accepted, duplicates, cursor = 0, 0, ''
local claimed, rewritten, notices = {}, {}, {}
local others, told = {}, {}
for i = 1, tonumber(ARGV[10]) do
  local arg = 10 + (i - 1) * 5
  local kind, product, data, timestamp = ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3], ARGV[arg + 4]
  local claim = ARGV[arg + 5] ~= '' and claim_key()
  local known = claim and (claimed[claim] or redis.call('GET', claim))
  if known then
    duplicates = duplicates + 1
    cursor = known
    rewritten[#rewritten + 1] = claim
  else
    local fields = { 'e', at.epoch, 't', digits(now), 'b', digits(at.time), 'k', kind, 'p', product, 'd', data,
                     's', timestamp }
    if message_digest ~= '' and accepted == 0 then
      fields[#fields + 1] = 'm'
      fields[#fields + 1] = message_digest
    end
    if origin ~= '' then
      fields[#fields + 1] = 'o'
      fields[#fields + 1] = origin
    end
    local added = redis.pcall('XADD', log, 'MAXLEN', '~', max_len, digits(at.n + 1) .. '-0', unpack(fields))
    if added.err then
      if string.find(added.err, 'equal or smaller', 1, true) then return { 'inconsistent', at.epoch } end
      return added
    end
    accepted = accepted + 1
    at.n = at.n + 1
    at.time = now
    now = now + 1
    cursor = at.epoch .. '.' .. digits(at.n)
    if claim then claimed[claim] = cursor end
    local whose = told_from and i >= told_from and told or others
    whose[#whose + 1] = product
    notices[#notices + 1] = { kind = kind, product = product, data = data, timestamp = timestamp, cursor = cursor }
  end
end
redis.call('HSET', meta, 'n', digits(at.n), 'time', digits(at.time))
if cursor == '' then cursor = at.epoch .. '.' .. digits(at.n) end

-- Whoever else speaks of a product ends its streak. A gap may be about any, and ends all; so do more than fit in a command,
-- and a command that is refused, because the key is of another kind or the user lacks the right.
if #others > 0 then
  local each = notices[1].kind ~= 'gap' and #others <= 1000
  local ended = each and redis.pcall('HDEL', streaks, unpack(others))
  if type(ended) ~= 'number' then redis.call('UNLINK', streaks) end
end
if keep_seen then keep_seen(at.epoch, at.n, told) end

-- Every value is plain: ids, types, cursors and times need no escaping, data is JSON already.
for _, event in ipairs(notices) do
  if event.kind ~= 'gap' then
    redis.pcall('PUBLISH', invalidation_channel, '{"productId":"' .. event.product .. '","type":"' .. event.kind ..
      '","cursor":"' .. event.cursor .. '","timestamp":"' .. event.timestamp .. '"}')
    if mirror_channel ~= '' then
      redis.pcall('PUBLISH', mirror_channel, '{"productId":"' .. event.product .. '","type":"' .. event.kind ..
        '","data":' .. event.data .. ',"timestamp":"' .. event.timestamp .. '","via":"shelfcast"}')
    end
  end
end

for claim, at_cursor in pairs(claimed) do redis.call('SET', claim, at_cursor, 'PX', claim_ttl_ms) end
for _, claim in ipairs(rewritten) do
  if not claimed[claim] then redis.call('SET', claim, redis.call('GET', claim), 'KEEPTTL') end
end
if request_claim then
  local answer = body_digest .. ' ' .. accepted .. ' ' .. duplicates .. ' ' .. cursor
  redis.call('SET', request_claim, answer, 'PX', claim_ttl_ms)
end
if count ~= '' then
  redis.call('HSET', KEYS[4], 'appended_token', token, 'appended_count', count, 'appended_cursor', cursor)
end
return { 'taken', digits(accepted), digits(duplicates), cursor, at.lineage }
