-- Tells which sale boundaries have come, the first ones, with what stands of their products. Changes nothing.
--
-- KEYS[1]  the head of the log    KEYS[2]  snapshots    KEYS[3]  boundaries of sales    KEYS[4]  streaks
-- ARGV     1 how many at most
-- Returns  the epoch or '', boundaries kept; then three for each that has come: name, milliseconds, what stands
local time = redis.call('TIME')
local now_ms = string.format('%.0f', math.floor(tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000))
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now_ms, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local answer = { redis.call('HGET', KEYS[1], 'epoch') or '', tostring(redis.call('ZCARD', KEYS[3])) }
for i = 1, #due, 2 do
  answer[#answer + 1] = due[i]
  answer[#answer + 1] = due[i + 1]
  -- A name is the edge, a slash, and the key of the snapshot.
  answer[#answer + 1] = stands_of(KEYS[2], KEYS[4], string.match(due[i], '/(.+)$') or '')
end
return answer
