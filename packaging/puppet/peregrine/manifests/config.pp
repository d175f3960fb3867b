# @summary Configuration and rules. Every file is looked at by `peregrine check` before it takes its place.
# @api private
class peregrine::config {
  file { ['/etc/peregrine', '/etc/peregrine/config.d']:
    ensure => directory,
    mode   => '0755',
  }
  file { '/etc/peregrine/rules.d':
    ensure  => directory,
    mode    => '0755',
    recurse => $peregrine::rules_exclusive,
    purge   => $peregrine::rules_exclusive,
  }
  if $peregrine::config_source {
    file { '/etc/peregrine/peregrine.yaml':
      source       => $peregrine::config_source,
      mode         => '0644',
      validate_cmd => '/usr/bin/peregrine check %',
      notify       => Class['peregrine::service'],
    }
  }
  file { '/etc/peregrine/config.d/puppet.yaml':
    content      => template('peregrine/config.yaml.erb'),
    mode         => '0640',
    validate_cmd => '/usr/bin/peregrine check %',
    notify       => Class['peregrine::service'],
  }
  $peregrine::rules.each |$name, $text| {
    file { "/etc/peregrine/rules.d/${name}.yaml":
      content      => $text,
      mode         => '0644',
      # The shipped rules first: own ones may speak of their macros and lists.
      validate_cmd => '/usr/bin/peregrine check /etc/peregrine/peregrine_rules.yaml %',
    }
  }

  if $peregrine::unprivileged {
    file { '/etc/systemd/system/peregrine.service.d':
      ensure => directory,
      mode   => '0755',
    }
    # A link: what the package's next version says holds then.
    $drop_in = { 'ensure' => link, 'target' => '/usr/share/peregrine/unprivileged.conf' }
  } else {
    $drop_in = { 'ensure' => absent }
  }
  file { '/etc/systemd/system/peregrine.service.d/unprivileged.conf':
    notify => Exec['peregrine: units are read again'],
    *      => $drop_in,
  }
  # Puppet does so for units that changed; systemd does not tell of drop-ins that are new.
  exec { 'peregrine: units are read again':
    command     => 'systemctl daemon-reload',
    path        => ['/usr/bin', '/bin'],
    onlyif      => 'test -d /run/systemd/system',
    refreshonly => true,
    notify      => Class['peregrine::service'],
  }
}
