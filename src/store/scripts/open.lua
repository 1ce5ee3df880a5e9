-- Opens a channel if it is missing. ARGV: -.
if redis.call('EXISTS', CHANNEL) == 1 then return { 'ok' } end
return create(clock())
