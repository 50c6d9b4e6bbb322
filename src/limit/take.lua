-- Takes so much out of a budget, all or nothing: the generic cell rate algorithm, as a leaky bucket with a continuous state
-- (ITU-T I.371, Annex A). Everything is counted in whole numbers: a token is as many parts as the period has microseconds, and in
-- each microsecond as many parts come back as there are tokens in a period.
--
-- KEYS[1]  the budget
-- ARGV     microseconds of a period, tokens that come back in one, tokens at most, tokens wanted
-- Answers  1 or 0, parts that are gone, microseconds until what was wanted would be there
local period, refill, most, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
-- The clock of this server: those of the gateways may differ.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local state = redis.call('HMGET', KEYS[1], 'gone', 'at')
local gone, at = tonumber(state[1]) or 0, tonumber(state[2]) or now
-- Nothing comes back where the clock was set back.
local passed = math.max(0, now - at)
if passed >= gone / refill then
  gone = 0
else
  gone = gone - passed * refill
end
local price, room = wanted * period, most * period
local wait = 0
if gone + price <= room then
  gone = gone + price
  if wanted > 0 then
    redis.call('HSET', KEYS[1], 'gone', string.format('%.0f', gone), 'at', string.format('%.0f', now))
    -- What is whole again need not be remembered.
    redis.call('PEXPIRE', KEYS[1], math.ceil(gone / refill / 1000) + 1000)
  end
  return {1, string.format('%.0f', gone), 0}
end
wait = math.ceil((gone + price - room) / refill)
return {0, string.format('%.0f', gone), wait}
