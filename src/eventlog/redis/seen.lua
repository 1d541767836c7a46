-- Stands between epoch.lua and append.lua where products were observed: what was seen of them last, which what is appended
-- was computed from, must still be that; and changes with it.
--
-- KEYS[last - 1]  snapshots, a hash: the epoch in which a product was seen, a space, the n of the entry it stands for, a
--                 space, and what it looked like
-- KEYS[last]      boundaries of sales, a sorted set by milliseconds since 1970
-- ARGV     behind the events: the epoch that must stand, or '' to be told what stands    snapshots kept at most
--          milliseconds they live    boundaries kept at most    events in front that others told
--          snapshots; then four for each: key, what must stand, what to keep or '' to leave it, '1' if an event told it
--          boundaries; then three for each: name, milliseconds that must stand or '' for any, milliseconds to keep or ''
-- Returns  in place of append.lua's answer, if something else stands: 'changed', the epoch, and what stands of each
--          snapshot
local snapshots, sales, streaks = KEYS[#KEYS - 1], KEYS[#KEYS], KEYS[5]
local seen_arg = 12 + 5 * tonumber(ARGV[12])
local told_from = tonumber(ARGV[seen_arg + 5]) + 1
local snapshots_arg = seen_arg + 6
local boundaries_arg = snapshots_arg + 4 * tonumber(ARGV[snapshots_arg]) + 1

-- Calls `each` with the arguments of each item of a list.
local function list(arg, width, each)
  for i = arg + 1, arg + width * tonumber(ARGV[arg]), width do each(unpack(ARGV, i, i + width - 1)) end
end

-- What stands, if it is not what must. Whatever could be wrong with the keys is found here, before anything is written.
local function what_changed(epoch)
  local changed = epoch ~= ARGV[seen_arg + 1]
  local answer = { 'changed', epoch }
  list(snapshots_arg, 4, function(key, expected)
    local stands = stands_of(snapshots, streaks, key)
    changed = changed or stands ~= expected
    answer[#answer + 1] = stands
  end)
  list(boundaries_arg, 3, function(name, expected)
    changed = changed or expected ~= '' and redis.call('ZSCORE', sales, name) ~= expected
  end)
  redis.call('ZCARD', sales)
  return changed and answer
end

-- Any of them goes: were it the oldest, an import of more products than fit would find none of its own.
local function bound(hash)
  local over = math.min(redis.call('HLEN', hash) - tonumber(ARGV[seen_arg + 2]), 1000)
  if over > 0 then redis.call('HDEL', hash, unpack(redis.call('HRANDFIELD', hash, over))) end
  redis.call('PEXPIRE', hash, ARGV[seen_arg + 3])
end

-- Streaks go on with the products that were told, or begin. One that began in an epoch before begins anew.
local function go_on(n, told)
  for _, product in ipairs(told) do
    local since = string.match(redis.call('HGET', streaks, product) or '', '^%d+')
    redis.call('HSET', streaks, product, digits(math.min(since and tonumber(since) or n, n)) .. '-' .. digits(n))
  end
  if #told > 0 then bound(streaks) end
end

local function keep_snapshots(epoch, n)
  local kept = false
  list(snapshots_arg, 4, function(key, expected, look, told)
    if look == '' then return end
    local told_n = told ~= '' and digits(n) or string.match(expected, '^%S* %S+ (%d+) ') or '0'
    redis.call('HSET', snapshots, key, epoch .. ' ' .. told_n .. ' ' .. look)
    kept = true
  end)
  if kept then bound(snapshots) end
end

local function keep_boundaries()
  local now_ms, planned = clock_micros() / 1000, false
  list(boundaries_arg, 3, function(name, _, at_ms)
    if at_ms ~= '' and tonumber(at_ms) > now_ms then
      redis.call('ZADD', sales, at_ms, name)
      planned = true
    else
      redis.call('ZREM', sales, name)
    end
  end)
  if planned then
    local over = math.min(redis.call('ZCARD', sales) - tonumber(ARGV[seen_arg + 4]), 1000)
    if over > 0 then redis.call('ZPOPMAX', sales, over) end
  end
end

-- `n`: of the last entry. `told`: the products of the entries from `told_from` on.
local function keep_seen(epoch, n, told)
  go_on(n, told)
  keep_snapshots(epoch, n)
  keep_boundaries()
end
