# @summary Installs, configures and keeps Peregrine.
#
# @example Alerts to a receiver, and a rule of one's own
#   class { 'peregrine':
#     config => { 'http_output' => { 'enabled' => true, 'url' => 'https://alerts.example/' } },
#     rules  => { 'local' => file('profile/peregrine.yaml') },
#   }
#
# @param ensure a version, `present`, `latest` or `absent`
# @param package_name what the machine's package sources call it
# @param package_source a file on the machine (.deb, .rpm), for machines without such a source
# @param config keys of peregrine.yaml, which are those of falco.yaml; a section is given whole, to a list is added
# @param config_source a whole configuration instead of the package's, as `source` of a file
# @param rules name of a file in rules.d without its ending, and its text
# @param rules_exclusive takes away every rule file in there that is not among `rules`
# @param unprivileged never root at all
class peregrine (
  String                     $ensure          = 'present',
  String                     $package_name    = 'peregrine',
  Optional[String]           $package_source  = undef,
  Hash[String, Data]         $config          = {},
  Optional[String]           $config_source   = undef,
  Hash[String, String]       $rules           = {},
  Boolean                    $rules_exclusive = false,
  Boolean                    $unprivileged    = false,
  Boolean                    $service_enable  = true,
  Enum['running', 'stopped'] $service_ensure  = 'running',
) {
  if $ensure == 'absent' {
    package { $package_name: ensure => absent }
    file { ['/etc/peregrine/config.d/puppet.yaml', '/etc/systemd/system/peregrine.service.d/unprivileged.conf']:
      ensure => absent,
    }
  } else {
    contain peregrine::install
    contain peregrine::config
    contain peregrine::service
    Class['peregrine::install'] -> Class['peregrine::config'] -> Class['peregrine::service']
    Class['peregrine::install'] ~> Class['peregrine::service']
  }
}
