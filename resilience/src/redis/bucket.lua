-- One token bucket, in whole numbers: a token is worth `price` units, and a microsecond brings `pace` of them.
-- The state is "level:time:price"; a key that is full again expires, since a full bucket and no bucket are the same.
-- KEYS: the bucket. ARGV: price, pace, burst, tokens needed, tokens wanted.
-- Answers: tokens granted (none, or between needed and wanted), tokens left, microseconds until as many as needed are there
-- (-1 for never), and until the bucket is full.
local price, pace, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local needed, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local full = burst * price
local level, last = full, now

local state = redis.call('GET', KEYS[1])
if state then
  local old
  level, last, old = string.match(state, '^(%d+):(%d+):(%d+)$')
  level, last, old = tonumber(level), tonumber(last), tonumber(old)
  if old ~= price then
    -- Another rate: the tokens are kept, rounded down.
    level = math.floor(level / old * price)
  end
  -- A clock that steps back brings nothing, and the time it lives through twice brings nothing either.
  if now > last then
    level = level + (now - last) * pace
    last = now
  end
  level = math.min(level, full)
end

local granted = 0
local there = math.floor(level / price)
if there >= needed then
  granted = math.min(wanted, there)
  level = level - granted * price
end
local retry = 0
if needed > burst then
  retry = -1
elseif granted == 0 then
  retry = math.ceil((needed * price - level) / pace)
end
local reset = math.ceil((full - level) / pace)
if granted > 0 then
  -- In whole milliseconds and one more, so that it never expires before it is full. '%.0f', for '%d' may stop at 32 bits and
  -- the default at 14 digits.
  local stored = string.format('%.0f:%.0f:%.0f', level, last, price)
  redis.call('SET', KEYS[1], stored, 'PX', string.format('%.0f', math.ceil(reset / 1000) + 1))
end
return { granted, math.floor(level / price), retry, reset }
