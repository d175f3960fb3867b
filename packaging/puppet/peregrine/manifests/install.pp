# @summary The package.
# @api private
class peregrine::install {
  if $peregrine::package_source {
    $provider = $facts['os']['family'] ? { 'Debian' => 'dpkg', default => 'rpm' }
    package { $peregrine::package_name:
      ensure   => $peregrine::ensure,
      source   => $peregrine::package_source,
      provider => $provider,
    }
  } else {
    package { $peregrine::package_name: ensure => $peregrine::ensure }
  }
}
