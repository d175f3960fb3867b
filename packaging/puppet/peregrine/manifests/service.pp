# @summary The service. Changed rules need no restart: it watches its files.
# @api private
class peregrine::service {
  service { 'peregrine':
    ensure => $peregrine::service_ensure,
    enable => $peregrine::service_enable,
  }
}
