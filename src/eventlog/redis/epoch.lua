-- Stands before append.lua and head.lua: where the log is, and how a new epoch begins. Does nothing by itself.
--
-- KEYS[1]  the log, a stream; the id of entry n is n-0
-- KEYS[2]  its head, a hash: epoch, n, time (log time of entry n); of the epoch's begin: born (log time), begun (the
--          server's clock), lineage (its replication id), ended (the last position of the epoch before); and the server as it was last seen: replid, run_id
local log, meta = KEYS[1], KEYS[2]

-- Lua's numbers are doubles: exact up to 2^53, but printed with an exponent from 10^14 on.
local function digits(number)
  return string.format('%.0f', number)
end

local function clock_micros()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Empty where INFO is not allowed.
local function info(section, field)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and string.match(text, field .. ':(%w+)') or ''
end

local function is_count(number)
  return number and number >= 0 and number < 9007199254740992
end

-- nil if there is none, or one that somebody else has written to and that no pod could read.
local function standing()
  local found = redis.call('HMGET', meta, 'epoch', 'n', 'time', 'born', 'begun', 'lineage',
    'replid', 'run_id', 'ended')
  local at = { epoch = found[1], n = tonumber(found[2]), time = tonumber(found[3]), born = tonumber(found[4]),
               begun = tonumber(found[5]), lineage = found[6], replid = found[7], run_id = found[8], ended = found[9] }
  local is_named = at.epoch and #at.epoch == 8 and not string.find(at.epoch, '[^0-9a-z]')
  local is_whole = is_named and is_count(at.n) and is_count(at.time) and is_count(at.born) and is_count(at.begun)
  return is_whole and at.lineage and at or nil
end

-- Begins an epoch on an emptied log. Log time goes on from the epoch before, if that is known.
local function begin(epoch, before)
  local begun = clock_micros()
  local born = math.max(before and before.time + 1 or 0, begun)
  local replid = info('replication', 'master_replid')
  local ended = before and before.epoch .. '.' .. digits(before.n) or ''
  redis.call('UNLINK', log)
  redis.call('HSET', meta, 'epoch', epoch, 'n', '0', 'time', digits(born), 'born', digits(born),
    'begun', digits(begun), 'lineage', replid, 'replid', replid, 'run_id', info('server', 'run_id'), 'ended', ended)
  return standing()
end
