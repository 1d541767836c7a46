-- Learns or finds the products of parts, as one step.
--
-- Two hashes, so that what is kept is bounded without a time for each entry: when the young one is full it takes the place of
-- the old one. What is asked about is young again.
--
-- KEYS     1 the young generation       2 the old one       (hashes: part -> product)
-- ARGV     1 'learn' or 'find'          2 parts in a full generation
--          then for learn part, product, part, product ...; for find part, part ...
-- Returns  for find: the product of each part, '' if it is not known; for learn: nothing
local young, old = KEYS[1], KEYS[2]
local full = tonumber(ARGV[2])

local function keep(part, product)
  redis.call('HSET', young, part, product)
  if redis.call('HLEN', young) >= full then
    -- Freed in the background: a hash of this size would hold up everybody for a moment.
    redis.call('UNLINK', old)
    redis.call('RENAME', young, old)
  end
end

local found = {}
if ARGV[1] == 'learn' then
  for i = 3, #ARGV, 2 do keep(ARGV[i], ARGV[i + 1]) end
else
  for i = 3, #ARGV do
    local product = redis.call('HGET', young, ARGV[i])
    if not product then
      product = redis.call('HGET', old, ARGV[i])
      if product then keep(ARGV[i], product) end
    end
    found[#found + 1] = product or ''
  end
end
return found
