-- The policy defines no global and uses none beyond Lua's own: everything else is required.
std = 'lua54'
max_line_length = 100
self = false
