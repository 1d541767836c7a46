-- The lease on the input channels: one pod at a time appends what every pod hears.
--
-- KEYS[1]  the lease: the token of its holding; expires
-- KEYS[2]  a hash: token (the last one given), covered_until (everything published before is in the log, or was refused)
-- ARGV     1 'take' it if it is free, 'hold' it, 'give' it back, or only 'look'    2 my token, or ''
--          3 milliseconds it lives without being held    4 covered_until, or '' for no news
-- Returns  token held by me or '', covered_until or '', microseconds by the server's clock, '1' if nobody holds it
local lease, state = KEYS[1], KEYS[2]
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
  mine = tostring(redis.call('HINCRBY', state, 'token', 1))
  redis.call('SET', lease, mine, 'PX', ttl_ms)
  held, holder = true, mine
end

local time = redis.call('TIME')
return { held and mine or '', redis.call('HGET', state, 'covered_until') or '',
         string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), holder and '' or '1' }
