-- The lease on the input channels: one pod at a time appends what every pod hears.
--
-- KEYS[1]  the lease: the token of its holding, a random number; expires
-- KEYS[2]  a hash: covered_until (everything published before is in the log, or was refused)
-- KEYS[3]  the head of the log
-- ARGV     1 'take' it if it is free, 'hold' it, 'give' it back, or only 'look'    2 my token, or ''
--          3 milliseconds it lives without being held    4 covered_until, or '' for no news
-- Returns  '1' if I hold it, covered_until or '', microseconds by the server's clock, '1' if nobody holds it, the newest
--          position in the log or ''
local lease, state, meta = KEYS[1], KEYS[2], KEYS[3]
local action, mine, ttl_ms, covered_until = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local holder = redis.call('GET', lease)
local held = mine ~= '' and holder == mine
if held and covered_until ~= '' then redis.call('HSET', state, 'covered_until', covered_until) end
if held and action == 'give' then
  redis.call('DEL', lease)
  held, holder = false, false
elseif held then
  redis.call('PEXPIRE', lease, ttl_ms)
elseif action == 'take' and not holder then
  redis.call('SET', lease, mine, 'PX', ttl_ms)
  held, holder = true, mine
end

local time = redis.call('TIME')
local head = redis.call('HMGET', meta, 'epoch', 'n')
return { held and '1' or '', redis.call('HGET', state, 'covered_until') or '',
         string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), holder and '' or '1',
         head[1] and head[1] .. '.' .. head[2] or '' }
