-- The lease on the input channels: one pod at a time appends what every pod hears.
--
-- KEYS[1]  the lease: the token of its holding, a random number; expires
-- KEYS[2]  a hash: covered_until (everything published before is in the log, or was refused), clock (the time told last)
-- KEYS[3]  the head of the log
-- ARGV     1 'take' it if it is free, 'hold' it, 'give' it back, or only 'look'    2 my token, or ''
--          3 milliseconds it lives without being held    4 covered_until, or '' for no news
-- Returns  '1' if I hold it, covered_until or '', microseconds now, '1' if nobody holds it, the newest
--          position in the log or ''
local lease, state, meta = KEYS[1], KEYS[2], KEYS[3]
local action, mine, ttl_ms, covered_until = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Later than all that was ever told, also when another server takes over whose clock is behind: what is published from now
-- on is then never taken for older than what was accounted for.
local time = redis.call('TIME')
local head = redis.call('HMGET', meta, 'epoch', 'n', 'time')
local known = redis.call('HMGET', state, 'clock', 'covered_until')
local now = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), (tonumber(known[1]) or 0) + 1,
  (tonumber(known[2]) or 0) + 1, (tonumber(head[3]) or 0) + 1)
local clock = string.format('%.0f', now)

local holder = redis.call('GET', lease)
local held = mine ~= '' and holder == mine
if held and action == 'give' then
  redis.call('DEL', lease)
  holder = false
elseif held then
  redis.call('PEXPIRE', lease, ttl_ms)
elseif action == 'take' and not holder then
  redis.call('SET', lease, mine, 'PX', ttl_ms)
  held, holder = true, mine
end
-- May be refused where memory is short; the lease is kept all the same.
if held and covered_until ~= '' and tonumber(covered_until) > (tonumber(known[2]) or 0) then
  redis.pcall('HSET', state, 'covered_until', covered_until)
end
redis.pcall('HSET', state, 'clock', clock)

return { held and action ~= 'give' and '1' or '', redis.call('HGET', state, 'covered_until') or '', clock,
         holder and '' or '1', head[1] and head[1] .. '.' .. head[2] or '' }
