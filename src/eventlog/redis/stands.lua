-- Stands before seen.lua and due.lua. What stands of a product: its streak, a space, and what was seen of it; both may be ''.
-- The key of a snapshot is a product's, or a product's, a slash, and a variation's.
local function stands_of(snapshots, streaks, key)
  local streak = redis.call('HGET', streaks, string.match(key, '^[^/]*')) or ''
  return streak .. ' ' .. (redis.call('HGET', snapshots, key) or '')
end
