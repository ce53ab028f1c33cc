// Sizes and offsets of the structs in src/linux/sys/structs.rs. The C library's, for structs of sockets that the kernel's headers leave to it. Compiled with -S; a test reads the lines that begin with `layout:`.
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/socket.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>

#define STRUCT(name, type) asm volatile("\nlayout: " #name " %c0" : : "i"(sizeof(type)))
#define MEMBER(name, member, type, path) \
    asm volatile("\nlayout: " #name "." #member " %c0 %c1" : : "i"(offsetof(type, path)), "i"(sizeof(((type *)0)->path)))

void layouts(void)
{
    STRUCT(Msghdr, struct msghdr);
    MEMBER(Msghdr, msg_name, struct msghdr, msg_name);
    MEMBER(Msghdr, msg_namelen, struct msghdr, msg_namelen);
    MEMBER(Msghdr, msg_iov, struct msghdr, msg_iov);
    MEMBER(Msghdr, msg_iovlen, struct msghdr, msg_iovlen);
    MEMBER(Msghdr, msg_control, struct msghdr, msg_control);
    MEMBER(Msghdr, msg_controllen, struct msghdr, msg_controllen);
    MEMBER(Msghdr, msg_flags, struct msghdr, msg_flags);
    STRUCT(Mmsghdr, struct mmsghdr);
    MEMBER(Mmsghdr, msg_name, struct mmsghdr, msg_hdr.msg_name);
    MEMBER(Mmsghdr, msg_namelen, struct mmsghdr, msg_hdr.msg_namelen);
    MEMBER(Mmsghdr, msg_iov, struct mmsghdr, msg_hdr.msg_iov);
    MEMBER(Mmsghdr, msg_iovlen, struct mmsghdr, msg_hdr.msg_iovlen);
    MEMBER(Mmsghdr, msg_control, struct mmsghdr, msg_hdr.msg_control);
    MEMBER(Mmsghdr, msg_controllen, struct mmsghdr, msg_hdr.msg_controllen);
    MEMBER(Mmsghdr, msg_flags, struct mmsghdr, msg_hdr.msg_flags);
    MEMBER(Mmsghdr, msg_len, struct mmsghdr, msg_len);
    STRUCT(Cmsghdr, struct cmsghdr);
    MEMBER(Cmsghdr, cmsg_len, struct cmsghdr, cmsg_len);
    MEMBER(Cmsghdr, cmsg_level, struct cmsghdr, cmsg_level);
    MEMBER(Cmsghdr, cmsg_type, struct cmsghdr, cmsg_type);
    STRUCT(Ifreq, struct ifreq);
    MEMBER(Ifreq, ifr_name, struct ifreq, ifr_name);
    MEMBER(Ifreq, family, struct ifreq, ifr_addr.sa_family);
    MEMBER(Ifreq, data, struct ifreq, ifr_addr.sa_data);
    STRUCT(IfreqName, struct ifreq);
    MEMBER(IfreqName, ifr_name, struct ifreq, ifr_name);
    MEMBER(IfreqName, ifr_newname, struct ifreq, ifr_newname);
    STRUCT(IfreqShort, struct ifreq);
    MEMBER(IfreqShort, ifr_name, struct ifreq, ifr_name);
    MEMBER(IfreqShort, ifr_flags, struct ifreq, ifr_flags);
    STRUCT(IfreqInt, struct ifreq);
    MEMBER(IfreqInt, ifr_name, struct ifreq, ifr_name);
    MEMBER(IfreqInt, ifr_ivalue, struct ifreq, ifr_metric);
    STRUCT(IfreqMap, struct ifreq);
    MEMBER(IfreqMap, ifr_name, struct ifreq, ifr_name);
    MEMBER(IfreqMap, mem_start, struct ifreq, ifr_map.mem_start);
    MEMBER(IfreqMap, mem_end, struct ifreq, ifr_map.mem_end);
    MEMBER(IfreqMap, base_addr, struct ifreq, ifr_map.base_addr);
    MEMBER(IfreqMap, irq, struct ifreq, ifr_map.irq);
    MEMBER(IfreqMap, dma, struct ifreq, ifr_map.dma);
    MEMBER(IfreqMap, port, struct ifreq, ifr_map.port);
    STRUCT(IfreqData, struct ifreq);
    MEMBER(IfreqData, ifr_name, struct ifreq, ifr_name);
    MEMBER(IfreqData, ifr_data, struct ifreq, ifr_data);
    STRUCT(Ifconf, struct ifconf);
    MEMBER(Ifconf, ifc_len, struct ifconf, ifc_len);
    MEMBER(Ifconf, ifc_buf, struct ifconf, ifc_buf);
    STRUCT(Rtentry, struct rtentry);
    MEMBER(Rtentry, rt_dst, struct rtentry, rt_dst);
    MEMBER(Rtentry, rt_gateway, struct rtentry, rt_gateway);
    MEMBER(Rtentry, rt_genmask, struct rtentry, rt_genmask);
    MEMBER(Rtentry, rt_flags, struct rtentry, rt_flags);
    MEMBER(Rtentry, rt_metric, struct rtentry, rt_metric);
    MEMBER(Rtentry, rt_dev, struct rtentry, rt_dev);
    MEMBER(Rtentry, rt_mtu, struct rtentry, rt_mtu);
    MEMBER(Rtentry, rt_window, struct rtentry, rt_window);
    MEMBER(Rtentry, rt_irtt, struct rtentry, rt_irtt);
    STRUCT(Arpreq, struct arpreq);
    MEMBER(Arpreq, pa_family, struct arpreq, arp_pa.sa_family);
    MEMBER(Arpreq, pa_data, struct arpreq, arp_pa.sa_data);
    MEMBER(Arpreq, ha_family, struct arpreq, arp_ha.sa_family);
    MEMBER(Arpreq, ha_data, struct arpreq, arp_ha.sa_data);
    MEMBER(Arpreq, arp_flags, struct arpreq, arp_flags);
    MEMBER(Arpreq, mask_family, struct arpreq, arp_netmask.sa_family);
    MEMBER(Arpreq, mask_data, struct arpreq, arp_netmask.sa_data);
    MEMBER(Arpreq, arp_dev, struct arpreq, arp_dev);
}
