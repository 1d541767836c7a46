-- Stands before append.lua and head.lua: where the log is, and how a new epoch begins. Does nothing by itself.
--
-- KEYS[1]  the log, a stream; the id of entry n is n-0
-- KEYS[2]  its head, a hash: epoch, n, time (log time of entry n), born (log time of the epoch's begin), lineage
local log, meta = KEYS[1], KEYS[2]

-- Lua's numbers are doubles: exact up to 2^53, but printed with an exponent from 10^14 on.
local function digits(number)
  return string.format('%.0f', number)
end

local function clock_micros()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The replication id: another one after a failover, and after a restart. Empty where INFO is not allowed.
local function server_lineage()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or ''
end

local function standing()
  local found = redis.call('HMGET', meta, 'epoch', 'n', 'time', 'born', 'lineage')
  if not found[1] then return nil end
  return { epoch = found[1], n = tonumber(found[2]), time = tonumber(found[3]), born = tonumber(found[4]),
           lineage = found[5] }
end

-- Begins an epoch on an emptied log. Log time goes on from the epoch before, if that is known.
local function begin(epoch, before)
  local born = math.max(before and before.time + 1 or 0, clock_micros())
  local lineage = server_lineage()
  redis.call('UNLINK', log)
  redis.call('HSET', meta, 'epoch', epoch, 'n', '0', 'time', digits(born), 'born', digits(born), 'lineage', lineage)
  return { epoch = epoch, n = 0, time = born, born = born, lineage = lineage }
end
