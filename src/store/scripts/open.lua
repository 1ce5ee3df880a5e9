-- Opens a channel where there is none. ARGV: -.
if redis.call('EXISTS', CHANNEL) == 1 then return { 'ok' } end
return create(clock())
