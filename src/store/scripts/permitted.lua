-- Returns which of the commands that scripts and servers use this user may not run. KEYS: any key. ARGV: an inbox.
local COMMANDS = {
    { 'decr', KEYS[1] }, { 'del', KEYS[1] }, { 'exists', KEYS[1] }, { 'get', KEYS[1] }, { 'hdel', KEYS[1], 'a' },
    { 'hexists', KEYS[1], 'a' }, { 'hget', KEYS[1], 'a' }, { 'hgetall', KEYS[1] }, { 'hkeys', KEYS[1] },
    { 'hmget', KEYS[1], 'a' }, { 'hset', KEYS[1], 'a', 'a' }, { 'hvals', KEYS[1] }, { 'incr', KEYS[1] },
    { 'lindex', KEYS[1], '0' }, { 'llen', KEYS[1] }, { 'lpop', KEYS[1] }, { 'lrange', KEYS[1], '0', '1' },
    { 'lrem', KEYS[1], '1', 'a' }, { 'pexpire', KEYS[1], '1' }, { 'publish', ARGV[1], 'a' },
    { 'pubsub', 'channels' }, { 'rpush', KEYS[1], 'a' }, { 'sadd', KEYS[1], 'a' }, { 'set', KEYS[1], 'a' },
    { 'smembers', KEYS[1] }, { 'srem', KEYS[1], 'a' }, { 'subscribe', ARGV[1] }, { 'time' },
    { 'zadd', KEYS[1], '1', 'a' }, { 'zrange', KEYS[1], '0', '1' }, { 'zrangebyscore', KEYS[1], '0', '1' },
    { 'zrem', KEYS[1], 'a' }, { 'zscore', KEYS[1], 'a' },
}
local refused = {}
for _, command in ipairs(COMMANDS) do
    if not redis.acl_check_cmd(unpack(command)) then refused[#refused + 1] = command[1] end
end
return refused
