-- Tells where the log stands. Begins a new epoch first where the old one cannot be trusted to continue, and lets what is
-- too old go.
--
-- ARGV     1 a name for a new epoch    2 an epoch that must not go on, or ''    3 microseconds an entry is kept
-- Returns  epoch, n, oldest n kept, log time now, log time of the epoch's begin, microseconds since then, the
--          last position of the epoch before or '', lineage
local at = standing()

-- Whether another server, or another life of this one, keeps the log now. The replication id changes then; but also when
-- the first replica comes to a primary, or an hour after the last one left. In that case the process is still the same,
-- and it did not take over from anybody.
local function moved()
  local replid = info('replication', 'master_replid')
  if at.replid == replid or at.replid == '' or replid == '' then return false end
  local took_over = string.find(info('replication', 'master_replid2'), '[^0]') ~= nil
  if took_over or info('server', 'run_id') ~= at.run_id then return true end
  -- May be refused where memory is short; then it is asked again.
  redis.pcall('HSET', meta, 'replid', replid)
  return false
end

if not at or at.epoch == ARGV[2] or moved() then at = begin(ARGV[1], at) end
local clock = clock_micros()
local now = math.max(at.time + 1, clock)

-- The entry at n, or the oldest one: its n and its log time.
local function entry(from, to)
  local found = redis.call('XRANGE', log, from, to, 'COUNT', 1)[1]
  if not found then return nil end
  local n, fields = tonumber(string.match(found[1], '^%d+')), found[2]
  for i = 1, #fields, 2 do
    if fields[i] == 't' then return n, tonumber(fields[i + 1]) end
  end
  return n, nil
end

local first_n, first_time = entry('-', '+')
local oldest_kept = now - tonumber(ARGV[3])
-- Without a time it is not ours: the pods that read it see to that.
if first_n and first_time and first_time < oldest_kept then
  -- Entries are dense and in the order of time, so the first one to keep is found by halving.
  local old, kept = first_n, at.n + 1
  while kept - old > 1 do
    local middle = math.floor((old + kept) / 2)
    local id = digits(middle) .. '-0'
    local _, time = entry(id, id)
    if time and time >= oldest_kept then kept = middle else old = middle end
  end
  redis.call('XTRIM', log, 'MINID', digits(kept) .. '-0')
  first_n = entry('-', '+')
end
return { at.epoch, digits(at.n), digits(first_n or at.n + 1), digits(now), digits(at.born),
         digits(math.max(0, clock - at.begun)), at.ended or '', at.lineage }
