-- Appends the events of several requests: of each request all or none.
--
-- A script is atomic, but it is not rolled back: what was written before an error stays. So whatever may be refused
-- comes first (lease, claims, the first XADD; a new epoch may begin before, which loses nothing), and the claims last: a claim without its event would answer the
-- publisher's retry with "duplicate" and lose the event.
--
-- Before it stand epoch.lua and, where products were observed, seen.lua with two functions and from which event on they
-- tell what was seen; otherwise those are nil. What was observed, and what stands under a lease, is a request alone.
--
-- KEYS[3]  the lease; KEYS[4]: what its holder appended last; KEYS[5]: streaks, a hash: since which n a product has been
--          told of by what was seen of it alone, a dash, and the last n that did; KEYS[6..]: for each request its own claim
--          if there is one, then those of its events that have one
-- ARGV     1 a name for a new epoch      2 the lease token that must hold, or ''     3 the holder's count, or ''
--          4 entries kept at most        5 milliseconds a claim lives                6 channel for invalidations
--          7 channel to mirror to, or '' 8 digest of the message, or ''
--          9 requests; for each: digest of its body or '', who brought it or '', its events; then five for each of those:
--          kind, product, data, timestamp, '1' if it has a claim
-- Returns  'fenced' | 'inconsistent' and the epoch | 'done', lineage, then four for each request: 'taken' or 'repeated',
--          accepted, duplicates, cursor of its last event; or 'key_reused' and three times nothing
local lease, token, count = KEYS[3], ARGV[2], ARGV[3]
local streaks = KEYS[5]
local max_len, claim_ttl_ms = ARGV[4], ARGV[5]
local invalidation_channel, mirror_channel, message_digest = ARGV[6], ARGV[7], ARGV[8]

if token ~= '' and redis.call('GET', lease) ~= token then return { 'fenced' } end
local at = standing() or begin(ARGV[1])
local now = math.max(at.time + 1, clock_micros())
-- Each number is spelled once: printing one is dear.
local head_n, head_time = digits(at.n), digits(at.time)
local answers = { 'done', at.lineage }
local function answer(what, accepted, duplicates, cursor)
  local last = #answers
  answers[last + 1], answers[last + 2], answers[last + 3], answers[last + 4] = what, accepted, duplicates, cursor
end

if count ~= '' then
  local done = redis.call('HMGET', KEYS[4], 'appended_token', 'appended_count', 'appended_cursor')
  if done[1] == token and tonumber(done[2]) >= tonumber(count) then
    answer('repeated', 0, 0, done[3])
    return answers
  end
end

-- What each claim stands for. A key of another kind than a text says nothing (MGET does not refuse it), and is overwritten.
local claims = {}
local last_claim = what_changed and #KEYS - 2 or #KEYS
for first = 6, last_claim, 1000 do
  local last = math.min(first + 999, last_claim)
  for i, said in ipairs(redis.call('MGET', unpack(KEYS, first, last))) do claims[KEYS[first + i - 1]] = said or nil end
end
-- Claims that are new, and those that were met: these are written again, so that waiting for replicas or the disk covers
-- the first answer too.
local made, met = {}, {}
local next_key, next_arg = 6, 10
local function claim_key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

-- The next request: a list of its events.
local function next_request()
  local request = { body = ARGV[next_arg], origin = ARGV[next_arg + 1] }
  local last_arg = next_arg + 2 + 5 * tonumber(ARGV[next_arg + 2])
  request.claim = request.body ~= '' and claim_key()
  for arg = next_arg + 3, last_arg, 5 do
    request[#request + 1] = { kind = ARGV[arg], product = ARGV[arg + 1], data = ARGV[arg + 2],
                              timestamp = ARGV[arg + 3], claim = ARGV[arg + 4] ~= '' and claim_key() }
  end
  next_arg = last_arg + 1
  return request
end

local appended, others, told = {}, {}, {}
-- Returns what is to be answered in place of everything if it is refused.
local function append(event, origin)
  local n, time = digits(at.n + 1), digits(now)
  local fields = { 'e', at.epoch, 't', time, 'b', head_time, 'k', event.kind, 'p', event.product, 'd', event.data,
                   's', event.timestamp }
  if message_digest ~= '' and #appended == 0 then
    fields[#fields + 1] = 'm'
    fields[#fields + 1] = message_digest
  end
  if origin ~= '' then
    fields[#fields + 1] = 'o'
    fields[#fields + 1] = origin
  end
  local added = redis.pcall('XADD', log, 'MAXLEN', '~', max_len, n .. '-0', unpack(fields))
  if added.err then
    return string.find(added.err, 'equal or smaller', 1, true) and { 'inconsistent', at.epoch } or added
  end
  at.n, at.time, now = at.n + 1, now, now + 1
  head_n, head_time = n, time
  event.cursor = at.epoch .. '.' .. n
  appended[#appended + 1] = event
end

for _ = 1, tonumber(ARGV[9]) do
  local request = next_request()
  local known = request.claim and claims[request.claim]
  if known then
    local body, accepted, duplicates, cursor = string.match(known, '^(%x+) (%d+) (%d+) (%S+)$')
    if body == request.body then
      met[request.claim] = true
      answer('repeated', accepted, duplicates, cursor)
    else
      answer('key_reused', '', '', '')
    end
  else
    local changed = what_changed and what_changed(at.epoch)
    if changed then return changed end

    local accepted, cursor = 0, ''
    for i, event in ipairs(request) do
      local seen = event.claim and claims[event.claim]
      if seen then
        cursor = seen
        met[event.claim] = true
      else
        local refused = append(event, request.origin)
        if refused then return refused end
        accepted = accepted + 1
        cursor = event.cursor
        if event.claim then
          claims[event.claim] = cursor
          made[event.claim] = true
        end
        local whose = told_from and i >= told_from and told or others
        whose[#whose + 1] = event.product
      end
    end
    local duplicates = #request - accepted
    if cursor == '' then cursor = at.epoch .. '.' .. head_n end
    if request.claim then
      claims[request.claim] = request.body .. ' ' .. accepted .. ' ' .. duplicates .. ' ' .. cursor
      made[request.claim] = true
    end
    answer('taken', accepted, duplicates, cursor)
  end
end
if #appended > 0 then redis.call('HSET', meta, 'n', head_n, 'time', head_time) end

-- Whoever else speaks of a product ends its streak. A gap may be about any, and ends all; so does a command that is refused,
-- because the key is of another kind or the user lacks the right.
for first = 1, #others, 1000 do
  local each = appended[1].kind ~= 'gap'
  local ended = each and redis.pcall('HDEL', streaks, unpack(others, first, math.min(first + 999, #others)))
  if type(ended) ~= 'number' then redis.call('UNLINK', streaks) end
end
-- Of a request that is alone in its call.
local what, _, _, cursor = unpack(answers, 3, 6)
if keep_seen and what == 'taken' then keep_seen(at.epoch, at.n, told) end

-- Every value is plain: ids, types, cursors and times need no escaping, data is JSON already.
for _, event in ipairs(appended) do
  if event.kind ~= 'gap' then
    redis.pcall('PUBLISH', invalidation_channel, '{"productId":"' .. event.product .. '","type":"' .. event.kind ..
      '","cursor":"' .. event.cursor .. '","timestamp":"' .. event.timestamp .. '"}')
    if mirror_channel ~= '' then
      redis.pcall('PUBLISH', mirror_channel, '{"productId":"' .. event.product .. '","type":"' .. event.kind ..
        '","data":' .. event.data .. ',"timestamp":"' .. event.timestamp .. '","via":"shelfcast"}')
    end
  end
end

for claim in pairs(made) do redis.call('SET', claim, claims[claim], 'PX', claim_ttl_ms) end
for claim in pairs(met) do
  if not made[claim] then redis.call('SET', claim, claims[claim], 'KEEPTTL') end
end
if count ~= '' and what == 'taken' then
  redis.call('HSET', KEYS[4], 'appended_token', token, 'appended_count', count, 'appended_cursor', cursor)
end
return answers
