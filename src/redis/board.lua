-- Puts up this pod's report and returns those of the others, as one step.
--
-- KEYS: the pods (sorted set: name by server time in ms of its last report), this pod's report.
-- ARGV: this pod's name, its report, after how many ms of silence a pod is no more.
-- Returns for each other pod: its name, the age of its report in ms, its report.
--
-- The reports of the others stand beside the set, at its name and theirs, so in the same slot.

local pods, own = KEYS[1], KEYS[2]
local name, report, silent_after = ARGV[1], ARGV[2], tonumber(ARGV[3])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('SET', own, report, 'PX', silent_after)
redis.call('ZADD', pods, now, name)
redis.call('ZREMRANGEBYSCORE', pods, '-inf', now - silent_after)
-- When every gateway has gone, nothing of this stays.
redis.call('PEXPIRE', pods, silent_after)

local answer = {}
local listed = redis.call('ZRANGE', pods, 0, -1, 'WITHSCORES')
for i = 1, #listed, 2 do
  local other = listed[i]
  local theirs = other ~= name and redis.call('GET', pods .. ':' .. other)
  if theirs then
    -- A clock that was set back must not make a report younger than new.
    local age = math.max(0, now - tonumber(listed[i + 1]))
    answer[#answer + 1] = other
    answer[#answer + 1] = string.format('%d', age)
    answer[#answer + 1] = theirs
  end
end
return answer
