// Imported before the suite's own server, which says no address and would be reached from everywhere.
import { Server } from 'node:net'

const { listen } = Server.prototype
Server.prototype.listen = function (port) {
  return listen.call(this, Number(port), '127.0.0.1')
}
