-- Takes a lane's next slot if it comes within patience, on Redis' clock and for
-- all instances. Times are in microseconds. It returns
--   whether a slot was taken (1 or 0); 2 if the question came too late,
--   how long it is until the slot, or until the caller should ask again,
--   how many instances there are,
--   the time of this answer,
--   in how many shares the quota is split, of which the caller has one; 0: it has none,
--   when that share begins and when it ends.
--
-- A share is the part of the quota that its instance may hand out itself while
-- it cannot ask. From the share's begin to its end, the part is reserved: no
-- slot is made of it here. An answer may get lost. So a reservation goes by the
-- last share that its instance is known to have heard of.
--
-- KEYS: the earliest time of the next slot; the next time that is told to a
-- caller who must come back; a hash of reservations by name, and up to which
-- time the slots are accounted for ("seen"); slots that were given back, by time.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, patience, id = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local known = tonumber(ARGV[4])      -- until the next slot, as far as the caller knows
local alone = ARGV[5] == '1'         -- there are no other instances
local quiet = tonumber(ARGV[6])      -- how long an instance must have been silent at least
local valid = tonumber(ARGV[7])      -- from the begin to the end of a share
local heldOf = tonumber(ARGV[8])     -- the share that the caller has, of so many; 0: none
local heldFrom = tonumber(ARGV[9])   -- when that begins
local out = tonumber(ARGV[10])       -- the share that its own slots are of, of so many; 0: none
local outFor = tonumber(ARGV[11])    -- until the last of them has passed
local settle = tonumber(ARGV[12])    -- how long to wait if Redis has lost its memory
local longest = tonumber(ARGV[13])   -- no slot is further away, unless a caller is more patient
local memory = ARGV[14]              -- how long to remember a lane, in milliseconds
local deadline = tonumber(ARGV[15])  -- until when the caller waits for the answer; 0: not known
local owes = ARGV[16] == '1'         -- the caller has handed out slots that are not known here
local last = tonumber(ARGV[17])      -- the last slot that the caller got from here
if deadline > 0 and now > deadline then
  return {2, 0, 1, now, 0, 0, 0} -- a Redis that stood still works off what has been given up meanwhile
end
local held = heldOf > 0 and 1 / heldOf or 0
-- lag is how long an instance of several must have been silent before its share
-- begins. It often asks once in as many intervals as there are instances.
local function lag(instances)
  return quiet + 8 * interval * instances
end

local reserved, changed, seen = {}, {}, now
local fields = redis.call('HGETALL', KEYS[3])
for i = 1, #fields, 2 do
  if fields[i] == 'seen' then
    seen = tonumber(fields[i + 1])
  else
    local share, from, till = string.match(fields[i + 1], '(%S+) (%S+) (%S+)')
    reserved[fields[i]] = {share = tonumber(share), from = tonumber(from), till = tonumber(till)}
  end
end
local function reserve(name, share, from, till)
  reserved[name] = {share = share, from = from, till = till}
  changed[name] = true
end
local function release(name)
  reserved[name] = nil
  redis.call('HDEL', KEYS[3], name)
end

-- The next slot is not known, or it is further away than is possible, because
-- the clock was set back. Nothing is handed out until the slots that may be
-- forgotten have passed, and all have told of their shares.
local nextslot = tonumber(redis.call('GET', KEYS[1]) or '')
local lost = not nextslot or nextslot > now + math.max(patience, longest) + interval
if lost then
  redis.call('DEL', KEYS[3], KEYS[4])
  reserved, seen, nextslot = {}, now, now + interval
  if not alone then
    reserve('lost', 1, now, now + settle)
    reserve('unheard', 1, now + settle, now + settle)
  end
end

-- advance lets time go by from t until stop, or until as much of it as need was
-- not reserved. It returns that time, and what is left of need.
local function advance(t, need, stop)
  while need > 0 and t < stop do
    local free, edge = 1, stop
    for _, r in pairs(reserved) do
      if r.from <= t and t < r.till then
        free = free - r.share
      end
      if r.from > t then
        edge = math.min(edge, r.from)
      elseif r.till > t then
        edge = math.min(edge, r.till)
      end
    end
    if free > 0.000001 then
      if free * (edge - t) >= need then
        return t + need / free, 0
      end
      need = need - free * (edge - t)
    end
    t = edge
  end
  return t, need
end

-- What has passed counts as it was reserved until now.
local need = math.max(nextslot - seen, 0)
if seen < now then
  seen, need = advance(seen, need, now)
  seen = now
end
-- What the caller knows is too late by the way there and back. At a high rate
-- that is a good part of an interval, so it counts only if it is needed.
if lost or owes then
  need = math.max(need, now + known - seen)
elseif last <= now + math.max(patience, longest) then
  need = math.max(need, last + interval - seen) -- a replica that took over may be behind
end

-- The caller has been heard of, with a share of before Redis lost its memory.
local unheard, name = reserved['unheard'], 'i:' .. id
if unheard and held > 0 and not reserved[name] then
  reserve('unheard', unheard.share - held, unheard.from, now + lag(heldOf) + valid)
  if unheard.share - held < 0.000001 then
    release('lost')
    release('unheard')
  end
end
if out > 0 and outFor > 0 then
  reserve('local:' .. id, 1 / out, now, now + outFor)
end

local instances, others = 1, 0
for n, r in pairs(reserved) do
  if r.till <= now then
    release(n)
  elseif n ~= name and n ~= 'lost' then
    others = others + r.share
    if string.sub(n, 1, 2) == 'i:' then
      instances = instances + 1
    end
  end
end
local of, from = instances, math.max(now + lag(instances), seen)
if others + math.max(1 / instances, held) > 1.000001 then
  of = 0
end
local till = from + valid
reserve(name, math.max(of > 0 and 1 / of or 0, held), held > 0 and valid > 0 and math.min(heldFrom, from) or from, till)

local slot = advance(seen, need, math.huge)
local returned = redis.call('ZRANGEBYSCORE', KEYS[4], now, now + patience, 'LIMIT', 0, 1)[1]
local taken = returned or slot - now <= patience
if returned then
  slot = tonumber(returned)
  redis.call('ZREM', KEYS[4], returned)
elseif taken then
  seen, need = slot, interval
end
redis.call('SET', KEYS[1], string.format('%.0f', seen + need), 'PX', memory)
redis.call('HSET', KEYS[3], 'seen', string.format('%.0f', seen))
for n in pairs(changed) do
  local r = reserved[n]
  if r then
    redis.call('HSET', KEYS[3], n, string.format('%.9f %.0f %.0f', r.share, r.from, r.till))
  end
end
redis.call('PEXPIRE', KEYS[3], memory)
if taken then
  return {1, math.floor(slot - now), instances, now, of, from, till}
end
local later = tonumber(redis.call('GET', KEYS[2]) or '') or 0
if later < slot or later > now + 86400000000 then
  later = slot
end
redis.call('SET', KEYS[2], string.format('%.0f', later + interval), 'PX', memory)
return {0, math.floor(later - now), instances, now, of, from, till}
