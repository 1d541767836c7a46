-- Stands between epoch.lua and append.lua where products were observed: what was seen of them last, which what is appended
-- was computed from, must still be that; and changes with it.
--
-- KEYS[last - 1]  snapshots, a hash: the epoch in which a product was seen, a space, and what it looked like
-- KEYS[last]      boundaries of sales, a sorted set by milliseconds since 1970
-- ARGV     behind the events: the epoch that must stand, or '' to be told what stands    snapshots kept at most
--          milliseconds they live    boundaries kept at most
--          snapshots; then three for each: key, what must stand or '', what to keep or '' to leave it
--          boundaries; then three for each: name, milliseconds that must stand or '' for any, milliseconds to keep or ''
-- Returns  in place of append.lua's answer, if something else stands: 'changed', the epoch, and what stands of each
--          snapshot, or ''
local snapshots, sales = KEYS[#KEYS - 1], KEYS[#KEYS]
local seen_arg = 10 + 5 * tonumber(ARGV[10])
local snapshots_arg = seen_arg + 5
local boundaries_arg = snapshots_arg + 3 * tonumber(ARGV[snapshots_arg]) + 1

-- Calls `each` with the three arguments of each item of a list.
local function list(arg, each)
  for i = arg + 1, arg + 3 * tonumber(ARGV[arg]), 3 do each(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
end

-- What stands, if it is not what must. Whatever could be wrong with the keys is found here, before anything is written.
local function what_changed(epoch)
  local changed = epoch ~= ARGV[seen_arg + 1]
  local answer = { 'changed', epoch }
  list(snapshots_arg, function(key, expected)
    local stands = redis.call('HGET', snapshots, key) or ''
    changed = changed or stands ~= expected
    answer[#answer + 1] = stands
  end)
  list(boundaries_arg, function(name, expected)
    changed = changed or expected ~= '' and redis.call('ZSCORE', sales, name) ~= expected
  end)
  redis.call('ZCARD', sales)
  return changed and answer
end

local function keep_seen(epoch)
  local kept = false
  list(snapshots_arg, function(key, _, look)
    if look == '' then return end
    redis.call('HSET', snapshots, key, epoch .. ' ' .. look)
    kept = true
  end)
  if kept then
    -- Any of them goes: were it the oldest, an import of more products than fit would find none of its own.
    local over = math.min(redis.call('HLEN', snapshots) - tonumber(ARGV[seen_arg + 2]), 1000)
    if over > 0 then redis.call('HDEL', snapshots, unpack(redis.call('HRANDFIELD', snapshots, over))) end
    redis.call('PEXPIRE', snapshots, ARGV[seen_arg + 3])
  end
  local now_ms, planned = clock_micros() / 1000, false
  list(boundaries_arg, function(name, _, at_ms)
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
